# A Kerberos KDC of a test's own, for scripts that have $work: realm PENSTOCK.TEST, on loopback, as an ordinary user.
# shellcheck shell=bash disable=SC2154

# kdc_programs: whether what it takes is installed (Debian: krb5-kdc, krb5-admin-server).
kdc_programs() {
    PATH=$PATH:/usr/sbin:/sbin
    command -v krb5kdc >/dev/null && command -v kadmin.local >/dev/null && command -v kdb5_util >/dev/null
}

# kdc_start PORT PRINCIPAL...: starts it, and writes the keys of each principal into $work/NAME.keytab, NAME without what follows a slash.
# Sets kdc to the process, and KRB5_CONFIG for what is started from here.
kdc_start() {
    local port=$1 principal i
    shift
    export KRB5_CONFIG=$work/krb5.conf KRB5_KDC_PROFILE=$work/kdc.conf
    cat >"$work/krb5.conf" <<-EOF_
	[libdefaults]
	default_realm = PENSTOCK.TEST
	dns_lookup_kdc = false
	dns_lookup_realm = false
	rdns = false
	dns_canonicalize_hostname = false
	udp_preference_limit = 1
	[realms]
	PENSTOCK.TEST = {
	    kdc = 127.0.0.1:$port
	}
	EOF_
    cat >"$work/kdc.conf" <<-EOF_
	[kdcdefaults]
	kdc_listen = 127.0.0.1:$port
	kdc_tcp_listen = 127.0.0.1:$port
	[realms]
	PENSTOCK.TEST = {
	    database_name = $work/principal
	    key_stash_file = $work/stash
	    acl_file = $work/acl
	    supported_enctypes = aes256-cts:normal aes128-cts:normal
	}
	EOF_
    kdb5_util create -r PENSTOCK.TEST -s -P secret >"$work/kdc.log" 2>&1 || return 1
    for principal; do
        kadmin.local -r PENSTOCK.TEST addprinc -randkey "$principal" >>"$work/kdc.log" 2>&1 || return 1
        kadmin.local -r PENSTOCK.TEST ktadd -k "$work/${principal%%/*}.keytab" "$principal" >>"$work/kdc.log" 2>&1 || return 1
    done
    krb5kdc -n -r PENSTOCK.TEST >>"$work/kdc.log" 2>&1 </dev/null &
    kdc=$!
    for ((i = 0; i < 300; i++)); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
        kill -0 "$kdc" 2>/dev/null || return 1
        patient_tenth
    done
    return 1
}
