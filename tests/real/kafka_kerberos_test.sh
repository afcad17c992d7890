#!/usr/bin/env bash
# Needs: kafka
# The native engine, of sink and source, and a real broker that wants Kerberos, with a KDC of the test's own: keys of a keytab, the ticket cache of
# another program, sessions that the broker ends after 20 s, a principal that the KDC does not know and a KDC that is away,
# whose events are delivered when that is over.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/support/kdc.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/kdc.sh"
kdc_programs || skip "no krb5-kdc, krb5-admin-server"
command -v kinit >/dev/null || skip "no krb5-user"
command -v kcat >/dev/null || skip "no kcat"
export KAFKA_ENGINE=native

step "a KDC, and a broker with a listener for Kerberos"
kdc_port=$((port + 25)) plain=127.0.0.1:$port login=localhost:$((port + 20))
kdc_start "$kdc_port" kafka/localhost agent || fail "the KDC does not start"
children[$kdc]=kdc
listeners=PLAIN://$plain,LOGIN://$login
module='com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true'
KAFKA_JAVA="${KAFKA_JAVA:-} -Djava.security.krb5.conf=$KRB5_CONFIG" kafka_start \
    --set "listeners=$listeners,CONTROLLER://127.0.0.1:$((port + 10))" --set "advertised.listeners=$listeners" \
    --set listener.security.protocol.map=PLAIN:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT \
    --set listener.name.login.sasl.enabled.mechanisms=GSSAPI --set sasl.kerberos.service.name=kafka \
    --set "listener.name.login.gssapi.sasl.jaas.config=$module keyTab=\"$work/kafka.keytab\" principal=\"kafka/localhost@PENSTOCK.TEST\";" \
    --set connections.max.reauth.ms=20000

kerberos_file() { # NAME LOGIN-OPTIONS [KEY=VALUE]...
    local name=$1 login_options=$2
    shift 2
    agent_file "$name" "$name" sources.r1.type=seq sources.r1.host= sources.r1.port= sources.r1.totalEvents=20000 \
        sinks.k1.kafka.bootstrap.servers="$login" sinks.k1.kafka.producer.security.protocol=SASL_PLAINTEXT \
        sinks.k1.kafka.producer.sasl.mechanism=GSSAPI sinks.k1.kafka.producer.sasl.kerberos.service.name=kafka \
        sinks.k1.kafka.producer.sasl.jaas.config="com.sun.security.auth.module.Krb5LoginModule required $login_options;" "$@"
}
keys="useKeyTab=true storeKey=true keyTab=\"$work/agent.keytab\" principal=\"agent@PENSTOCK.TEST\""
create_topics keytab cache prolonged unknown away

step "the keys of a keytab"
kerberos_file keytab "$keys"
agent_start keytab
check keytab 20000 1 --no-headers
agent_stop keytab
says_nothing keytab ' (WARN|ERROR) '
grep -q 'native engine' "$work/keytab.log" || fail "it is not the native engine: $(grep -m1 'sink k1' "$work/keytab.log")"

step "the ticket cache of kinit"
export KRB5CCNAME=$work/cache
kinit -k -t "$work/agent.keytab" agent@PENSTOCK.TEST || fail "kinit fails"
kerberos_file cache 'useTicketCache=true'
agent_start cache
check cache 20000 1 --no-headers
agent_stop cache
says_nothing cache ' (WARN|ERROR) '
unset KRB5CCNAME

source_file() { # NAME LOGIN-OPTIONS: reads topic keytab into topic NAME
    agent_file "$1" "$1" sources.r1.type=org.apache.flume.source.kafka.KafkaSource sources.r1.host= sources.r1.port= \
        sources.r1.kafka.bootstrap.servers="$login" sources.r1.kafka.topics=keytab sources.r1.kafka.consumer.group.id="$1" \
        sources.r1.kafka.consumer.auto.offset.reset=earliest sources.r1.kafka.consumer.session.timeout.ms=60000 \
        sources.r1.kafka.consumer.security.protocol=SASL_PLAINTEXT \
        sources.r1.kafka.consumer.sasl.mechanism=GSSAPI sources.r1.kafka.consumer.sasl.kerberos.service.name=kafka \
        sources.r1.kafka.consumer.sasl.jaas.config="com.sun.security.auth.module.Krb5LoginModule required $2;" \
        sinks.k1.allowTopicOverride=false
}
create_topics from_keytab from_cache from_prolonged from_unknown
step "a source with the keys of a keytab"
source_file from_keytab "$keys"
agent_start from_keytab
check from_keytab 20000 1 --no-headers --may-repeat
(($(field received "$found") == 20000)) || fail "records arrived twice"
agent_stop from_keytab
says_nothing from_keytab ' (WARN|ERROR) '
grep -q 'source r1 .*native engine' "$work/from_keytab.log" || fail "it is not the native engine: $(grep -m1 'source r1' "$work/from_keytab.log")"

step "a source with the ticket cache of kinit"
export KRB5CCNAME=$work/cache
source_file from_cache 'useTicketCache=true'
agent_start from_cache
check from_cache 20000 1 --no-headers --may-repeat
agent_stop from_cache
says_nothing from_cache ' (WARN|ERROR) '
unset KRB5CCNAME

step "a broker that ends sessions, those of a sink and of a source that reads what it writes"
mkfifo "$work/lines"
kerberos_file prolonged "$keys" sources.r1.type=exec sources.r1.totalEvents= sources.r1.command="cat $work/lines"
source_file from_prolonged "$keys"
agent_key from_prolonged sources.r1.kafka.topics=prolonged
agent_start from_prolonged
sends_over_sessions prolonged
check from_prolonged 100 1 --no-headers --may-repeat
agent_stop from_prolonged
says_nothing from_prolonged ' (WARN|ERROR) '

step "a source with a principal that the KDC does not know"
source_file from_unknown "${keys/agent@/stranger@}"
agent_start from_unknown
await_log from_unknown 'source r1: .*login by GSSAPI failed'
sed -i 's/stranger@/agent@/' "$work/from_unknown.properties"
kill -HUP "${agents[from_unknown]}"
check from_unknown 20000 1 --no-headers --may-repeat
agent_stop from_unknown

step "a principal that the KDC does not know"
kerberos_file unknown "${keys/agent@/stranger@}"
agent_start unknown
await_log unknown 'sink k1: .*login by GSSAPI failed'
await_log unknown 'the broker refuses the credentials: check kafka.producer.sasl.mechanism and sasl.jaas.config'
sed -i 's/stranger@/agent@/' "$work/unknown.properties"
kill -HUP "${agents[unknown]}"
check unknown 20000 1 --no-headers
agent_stop unknown

step "a KDC that is away"
kill -STOP "$kdc"
kerberos_file away "$keys"
agent_start away
sleep 2 # the tickets are being asked for
agent_is_up away || fail "the agent ended"
kill -CONT "$kdc"
check away 20000 1 --no-headers
agent_stop away
(($(accounted delivered) == 20000)) || fail "the account is wrong: $account"
