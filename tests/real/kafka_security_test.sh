#!/usr/bin/env bash
# Needs: kafka
# A real broker that requires TLS and passwords, configured with the keys of a Flume user's file: PLAIN and SCRAM by
# sasl.jaas.config, unsecured tokens, trust from PEM, PKCS12 and JKS stores, a client certificate, from sink and source with both
# engines. A wrong password and an untrusted authority are reported a few times and do not delay other sinks; after the file is
# corrected, all events are delivered. The broker ends sessions by password after 20 s.
# shellcheck source=tests/real/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
for program in openssl keytool kcat; do
    command -v $program >/dev/null || skip "no $program"
done

step "a broker with listeners for TLS, for passwords and for both"
plain=127.0.0.1:$port both=localhost:$((port + 20)) tls=localhost:$((port + 21)) login=localhost:$((port + 22)) mutual=localhost:$((port + 23))
listeners=PLAIN://$plain,SECURE://$both,TLS://$tls,LOGIN://$login,MUTUAL://$mutual
key_store="ssl.keystore.type=PEM ssl.keystore.location=$work/kafka/tls/server.pem"
options=(--tls --sasl --set "listeners=$listeners,CONTROLLER://127.0.0.1:$((port + 10))" --set "advertised.listeners=$listeners"
    --set "listener.security.protocol.map=PLAIN:PLAINTEXT,SECURE:SASL_SSL,TLS:SSL,LOGIN:SASL_PLAINTEXT,MUTUAL:SSL,CONTROLLER:PLAINTEXT"
    --set 'listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_penstock="penstock-secret";'
    --set 'listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;'
    --set 'listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER'
    --set 'listener.name.login.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
    --set 'listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;'
    --set listener.name.mutual.ssl.client.auth=required --set connections.max.reauth.ms=20000
    --set listener.name.mutual.ssl.truststore.type=PEM --set "listener.name.mutual.ssl.truststore.location=$work/kafka/tls/ca.pem")
for name in tls mutual; do
    for pair in $key_store; do options+=(--set "listener.name.$name.$pair"); done
done
kafka_start "${options[@]}"

step "stores"
stores=$work/stores ca=$work/kafka/tls/ca.pem
mkdir "$stores"
{
    keytool -J-XX:TieredStopAtLevel=1 -importcert -noprompt -alias ca -file "$ca" -keystore "$stores/trust.jks" -storetype JKS -storepass changeit
    keytool -J-XX:TieredStopAtLevel=1 -importcert -noprompt -alias ca -file "$ca" -keystore "$stores/trust.p12" -storetype PKCS12 -storepass changeit
    openssl req -newkey rsa:2048 -nodes -subj /CN=agent -keyout "$stores/agent.key" -out "$stores/agent.csr"
    openssl x509 -req -in "$stores/agent.csr" -CA "$ca" -CAkey "$work/kafka/tls/ca.key" -CAcreateserial -days 30 -out "$stores/agent.crt"
    openssl pkcs12 -export -inkey "$stores/agent.key" -in "$stores/agent.crt" -certfile "$ca" -name agent -passout pass:changeit \
        -out "$stores/agent.p12"
    keytool -J-XX:TieredStopAtLevel=1 -importkeystore -noprompt -srckeystore "$stores/agent.p12" -srcstorepass changeit -srcstoretype PKCS12 \
        -destkeystore "$stores/agent.jks" -deststorepass changeit -deststoretype JKS
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=stranger -keyout "$stores/other.key" -out "$stores/other.pem"
} >"$work/stores.log" 2>&1 || fail "no stores made"

plain_login='org.apache.kafka.common.security.plain.PlainLoginModule required username="penstock" password="penstock-secret";'
token_login='org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="penstock";'
scram_login='org.apache.kafka.common.security.scram.ScramLoginModule required username="penstock" password="penstock-secret";'

# Writes a file with source seq, which goes to every sink that add_sink adds.
counter_file() { # NAME EVENTS
    cat >"$work/$1.properties" <<-EOF_
	a1.sources = r1
	a1.sources.r1.type = seq
	a1.sources.r1.totalEvents = $2
	a1.channels =
	a1.sinks =
	a1.sources.r1.channels =
	EOF_
}

engine=librdkafka
# Adds a sink NAME to topic NAME, with a channel of its own.
add_sink() { # AGENT NAME BROKERS [PRODUCER-PROPERTY=VALUE]...
    local file=$work/$1.properties name=$2 pair
    sed -i -E "s/^a1\\.(channels|sinks|sources\\.r1\\.channels) =.*/& $name/" "$file"
    cat >>"$file" <<-EOF_
	a1.channels.$name.type = memory
	a1.channels.$name.capacity = 100000
	a1.sinks.$name.type = org.apache.flume.sink.kafka.KafkaSink
	a1.sinks.$name.channel = $name
	a1.sinks.$name.kafka.topic = $name
	a1.sinks.$name.kafka.bootstrap.servers = $3
	a1.sinks.$name.penstock.engine = $engine
	EOF_
    shift 3
    for pair in "$@"; do echo "a1.sinks.$name.kafka.producer.${pair%%=*} = ${pair#*=}" >>"$file"; done
}

jks=(ssl.truststore.location="$stores/trust.jks" ssl.truststore.password=changeit)
p12=(ssl.truststore.location="$stores/trust.p12" ssl.truststore.type=PKCS12 ssl.truststore.password=changeit)
pem=(ssl.truststore.location="$ca" ssl.truststore.type=PEM)

ways=(plain scram256 scram512 token pem p12 jks both mutualjks mutualp12)
ten_sinks() { # AGENT PREFIX-OF-TOPICS
    add_sink "$1" "$2plain" "$login" security.protocol=SASL_PLAINTEXT sasl.mechanism=PLAIN sasl.jaas.config="$plain_login"
    add_sink "$1" "$2scram256" "$login" security.protocol=SASL_PLAINTEXT sasl.mechanism=SCRAM-SHA-256 sasl.jaas.config="$scram_login"
    add_sink "$1" "$2scram512" "$both" security.protocol=SASL_SSL sasl.mechanism=SCRAM-SHA-512 sasl.jaas.config="$scram_login" "${pem[@]}"
    add_sink "$1" "$2token" "$login" security.protocol=SASL_PLAINTEXT sasl.mechanism=OAUTHBEARER sasl.jaas.config="$token_login"
    add_sink "$1" "$2pem" "$tls" security.protocol=SSL "${pem[@]}"
    add_sink "$1" "$2p12" "$tls" security.protocol=SSL "${p12[@]}"
    add_sink "$1" "$2jks" "$tls" security.protocol=SSL "${jks[@]}"
    add_sink "$1" "$2both" "$both" security.protocol=SASL_SSL sasl.mechanism=PLAIN sasl.jaas.config="$plain_login" "${jks[@]}"
    add_sink "$1" "$2mutualjks" "$mutual" security.protocol=SSL "${jks[@]}" ssl.keystore.location="$stores/agent.jks" \
        ssl.keystore.password=changeit ssl.key.password=changeit
    add_sink "$1" "$2mutualp12" "$mutual" security.protocol=SSL "${p12[@]}" ssl.keystore.location="$stores/agent.p12" \
        ssl.keystore.type=PKCS12 ssl.keystore.password=changeit
}
for engine in librdkafka native; do
    step "$engine: ten sinks, ten ways in"
    counter_file $engine 20000
    ten_sinks $engine "${engine}_"
    create_topics "${ways[@]/#/${engine}_}"
    agent_start $engine
    for topic in "${ways[@]}"; do check "${engine}_$topic" 20000 1; done
    agent_stop $engine
    says_nothing $engine ' (WARN|ERROR) '
done
(($(grep -c 'native engine' "$work/native.log") == 10)) || fail "not every sink has the native engine"

# Adds a source NAME, which reads topic NAME into topic PREFIX_NAME, with a channel and a sink of its own.
add_source() { # AGENT NAME BROKERS PREFIX [CONSUMER-PROPERTY=VALUE]...
    local file=$work/$1.properties name=$2 pair
    sed -i -E "s/^a1\\.(channels|sinks|sources) =.*/& $name/" "$file"
    cat >>"$file" <<-EOF_
	a1.channels.$name.type = memory
	a1.channels.$name.capacity = 100000
	a1.channels.$name.transactionCapacity = 1000
	a1.sinks.$name.type = org.apache.flume.sink.kafka.KafkaSink
	a1.sinks.$name.channel = $name
	a1.sinks.$name.kafka.topic = $4_$name
	a1.sinks.$name.kafka.bootstrap.servers = $brokers
	a1.sinks.$name.allowTopicOverride = false
	a1.sinks.$name.header.topic = from
	a1.sources.$name.type = org.apache.flume.source.kafka.KafkaSource
	a1.sources.$name.channels = $name
	a1.sources.$name.kafka.topics = native_$name
	a1.sources.$name.kafka.bootstrap.servers = $3
	a1.sources.$name.kafka.consumer.group.id = $4_$name
	a1.sources.$name.kafka.consumer.auto.offset.reset = earliest
	a1.sources.$name.kafka.consumer.session.timeout.ms = 60000
	EOF_
    shift 4
    for pair in "$@"; do echo "a1.sources.$name.kafka.consumer.${pair%%=*} = ${pair#*=}" >>"$file"; done
}
ten_sources() { # AGENT PREFIX-OF-TOPICS
    printf 'a1.%s =\n' sources channels sinks >"$work/$1.properties"
    add_source "$1" plain "$login" "$2" security.protocol=SASL_PLAINTEXT sasl.mechanism=PLAIN sasl.jaas.config="$plain_login"
    add_source "$1" scram256 "$login" "$2" security.protocol=SASL_PLAINTEXT sasl.mechanism=SCRAM-SHA-256 sasl.jaas.config="$scram_login"
    add_source "$1" scram512 "$both" "$2" security.protocol=SASL_SSL sasl.mechanism=SCRAM-SHA-512 sasl.jaas.config="$scram_login" "${pem[@]}"
    add_source "$1" token "$login" "$2" security.protocol=SASL_PLAINTEXT sasl.mechanism=OAUTHBEARER sasl.jaas.config="$token_login"
    add_source "$1" pem "$tls" "$2" security.protocol=SSL "${pem[@]}"
    add_source "$1" p12 "$tls" "$2" security.protocol=SSL "${p12[@]}"
    add_source "$1" jks "$tls" "$2" security.protocol=SSL "${jks[@]}"
    add_source "$1" both "$both" "$2" security.protocol=SASL_SSL sasl.mechanism=PLAIN sasl.jaas.config="$plain_login" "${jks[@]}"
    add_source "$1" mutualjks "$mutual" "$2" security.protocol=SSL "${jks[@]}" ssl.keystore.location="$stores/agent.jks" \
        ssl.keystore.password=changeit ssl.key.password=changeit
    add_source "$1" mutualp12 "$mutual" "$2" security.protocol=SSL "${p12[@]}" ssl.keystore.location="$stores/agent.p12" \
        ssl.keystore.type=PKCS12 ssl.keystore.password=changeit
}
step "ten sources, ten ways in"
create_topics "${ways[@]/#/from_native_}"
ten_sources from_native from_native
agent_start from_native
for topic in "${ways[@]}"; do
    check "from_native_$topic" 20000 1 --header "from=native_$topic" --may-repeat # two partitions become others: order is not kept
    (($(field received "$found") == 20000)) || fail "records arrived twice"
done
agent_stop from_native
says_nothing from_native ' (WARN|ERROR) '

# A source reads what a sink writes, both over sessions that the broker ends.
step "native: a broker that ends sessions goes on"
mkfifo "$work/lines"
counter_file native_renewed 1
add_sink native_renewed native_renewed "$login" security.protocol=SASL_PLAINTEXT sasl.mechanism=SCRAM-SHA-256 sasl.jaas.config="$scram_login"
sed -i -e 's/r1.type = seq/r1.type = exec/' -e "s|r1.totalEvents.*|r1.command = cat $work/lines|" "$work/native_renewed.properties"
printf 'a1.%s =\n' sources channels sinks >"$work/renewed.properties"
create_topics native_renewed from_native_renewed
add_source renewed renewed "$login" from_native security.protocol=SASL_PLAINTEXT sasl.mechanism=SCRAM-SHA-256 sasl.jaas.config="$scram_login"
agent_start renewed
sends_over_sessions native_renewed
check from_native_renewed 100 1 --header from=native_renewed --may-repeat
agent_stop renewed
says_nothing renewed ' (WARN|ERROR) '

# The group of a source whose password is wrong, or whose authority is not trusted, is not touched; after a correction all is read.
step "native: sources with a wrong password and an untrusted authority"
printf 'a1.%s =\n' sources channels sinks >"$work/locked.properties"
create_topics locked_plain locked_pem locked_jks
add_source locked plain "$login" locked security.protocol=SASL_PLAINTEXT sasl.mechanism=PLAIN sasl.jaas.config="${plain_login/-secret/-guess}"
add_source locked pem "$tls" locked security.protocol=SSL ssl.truststore.location="$stores/other.pem" ssl.truststore.type=PEM
add_source locked jks "$tls" locked security.protocol=SSL "${jks[@]}"
began=$SECONDS
agent_start locked
check locked_jks 20000 1 --header from=native_jks --may-repeat
await_log locked 'source plain: .*login by PLAIN failed'
await_log locked 'source pem: .*the certificate is not accepted'
sleep 2
agent_is_up locked || fail "the agent ended"
(($(grep -cE 'source (plain|pem): ' "$work/locked.log") <= 20 + (SECONDS - began) / 10)) || fail "it logs the errors too often"
sed -i -e 's/-guess/-secret/' -e "s|$stores/other.pem|$ca|" "$work/locked.properties"
kill -HUP "${agents[locked]}"
check locked_plain 20000 1 --header from=native_plain --may-repeat
check locked_pem 20000 1 --header from=native_pem --may-repeat
agent_stop locked

faults() { # ENGINE PATTERN-OF-DISTRUST
    local name=faulty_$1 began=$SECONDS
    engine=$1
    step "$1: a wrong password, an untrusted authority, and a correct sink"
    counter_file "$name" 50000
    add_sink "$name" "${1}_well" "$tls" security.protocol=SSL "${pem[@]}"
    add_sink "$name" "${1}_wrong" "$login" security.protocol=SASL_PLAINTEXT sasl.mechanism=SCRAM-SHA-256 \
        sasl.jaas.config="${scram_login/-secret/-guess}"
    add_sink "$name" "${1}_distrusted" "$tls" security.protocol=SSL ssl.truststore.location="$stores/other.pem" ssl.truststore.type=PEM
    agent_start "$name"
    check "${1}_well" 50000 1
    await_log "$name" "sink ${1}_wrong: .*the broker refuses the credentials: check kafka.producer.sasl.mechanism and sasl.jaas.config"
    await_log "$name" "sink ${1}_distrusted: .*$2.*TLS failed: check kafka.producer.security.protocol"
    sleep 2 # further attempts may add few lines
    agent_is_up "$name" || fail "the agent ended"
    (($(grep -cE "sink ${1}_(wrong|distrusted): " "$work/$name.log") <= 8 + (SECONDS - began) / 10)) || fail "it logs the errors too often"

    step "$1: the file is corrected: no event was lost meanwhile"
    sed -i -e 's/-guess/-secret/' -e "s|$stores/other.pem|$ca|" "$work/$name.properties"
    kill -HUP "${agents[$name]}"
    check "${1}_wrong" 50000 1
    check "${1}_distrusted" 50000 1
    agent_stop "$name"
    (($(accounted delivered) == 150000)) || fail "the account is wrong: $account"
}
faults librdkafka 'certificate verify failed'
faults native 'the certificate is not accepted'
