#!/bin/bash
# How the key and trust stores of this folder were made (once; they are committed so that the tests run without Java).
# Needs keytool (Java 17) and openssl 3. Run it in an empty copy of this folder to make new ones: the tests do not depend on the keys.
set -eu
cd "$(dirname "$0")"
rm -f ./*.jks ./*.p12 ./*.pem ./*.jceks
export PASS=changeit
k() { keytool -J-Xshare:auto "$@" 2>/dev/null; }
days=36500

# A root, an intermediate and a server certificate below it (RSA 2048): the PEM files.
openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days $days -subj "/CN=Test Root" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout sub.key -out sub.csr -subj "/CN=Test Intermediate" 2>/dev/null
openssl x509 -req -in sub.csr -CA root.pem -CAkey root.key -CAcreateserial -days $days -out sub.pem \
  -extfile <(printf 'basicConstraints=critical,CA:true\nkeyUsage=keyCertSign,cRLSign\n') 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj "/CN=localhost" 2>/dev/null
openssl x509 -req -in leaf.csr -CA sub.pem -CAkey sub.key -CAcreateserial -days $days -out leaf.pem \
  -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n') 2>/dev/null
cat leaf.key leaf.pem sub.pem root.pem >server.pem
openssl pkcs8 -topk8 -v2 aes-256-cbc -in leaf.key -passout pass:$PASS -out encrypted.key
cat encrypted.key leaf.pem sub.pem >server-encrypted.pem

# PKCS12: by openssl (default and RC2-40/3DES), certificates only.
openssl pkcs12 -export -in server.pem -name server -passout pass:$PASS -out server.p12
openssl pkcs12 -export -legacy -in server.pem -name server -passout pass:$PASS -out legacy.p12
openssl pkcs12 -export -nokeys -in root.pem -passout pass:$PASS -out certificates-only.p12

# JKS from it, with a key password of its own; trust stores of all kinds.
k -importkeystore -noprompt -srckeystore server.p12 -srcstoretype PKCS12 -srcstorepass $PASS -srcalias server \
  -destkeystore chain.jks -deststoretype JKS -deststorepass $PASS -destkeypass keysecret
k -importcert -noprompt -alias root -file root.pem -keystore trust.jks -storetype JKS -storepass $PASS
k -importcert -noprompt -alias root -file root.pem -keystore trust.p12 -storetype PKCS12 -storepass $PASS

# Several entries: an EC key, an RSA key and a trusted certificate.
k -genkeypair -alias ec -keyalg EC -groupname secp256r1 -dname CN=localhost -validity $days -keystore several.jks -storetype JKS \
  -storepass $PASS -keypass $PASS
k -genkeypair -alias rsa -keyalg RSA -keysize 2048 -dname CN=localhost -validity $days -keystore several.jks -storetype JKS \
  -storepass $PASS -keypass $PASS
k -importcert -noprompt -alias root -file root.pem -keystore several.jks -storetype JKS -storepass $PASS
# Two keys of a kind, one of another.
for key in one:RSA two:EC three:RSA; do
  size=(-keysize 2048)
  [[ $key == *:EC ]] && size=(-groupname secp256r1)
  k -genkeypair -alias "${key%:*}" -keyalg "${key#*:}" "${size[@]}" -dname "CN=${key%:*}" -validity $days -keystore kinds.jks -storetype JKS \
    -storepass $PASS -keypass $PASS
done
k -genkeypair -alias ec -keyalg EC -groupname secp256r1 -dname CN=localhost -validity $days -keystore java.p12 -storetype PKCS12 -storepass $PASS
k -genkeypair -alias one -keyalg RSA -keysize 2048 -dname CN=localhost -validity $days -keystore old.jceks -storetype JCEKS \
  -storepass $PASS -keypass $PASS
rm -f ./*.csr ./*.key ./*.srl

# JCEKS with secret keys: keys of AES with passwords of their own, and entries that are passed over. The tests have the keys' bytes,
# as java.security.KeyStore gave them: with a new store they change.
k -genseckey -alias key-0 -keyalg AES -keysize 128 -storetype JCEKS -keystore secret-keys.jceks -storepass storepass -keypass keypasskey-0
k -genseckey -alias Key-1 -keyalg AES -keysize 256 -storetype JCEKS -keystore secret-keys.jceks -storepass storepass -keypass keypassKey-1
k -genseckey -alias key-2 -keyalg AES -keysize 192 -storetype JCEKS -keystore secret-keys.jceks -storepass storepass -keypass keypasskey-2
k -genkeypair -alias pair -keyalg RSA -dname CN=x -storetype JCEKS -keystore secret-keys.jceks -storepass storepass -keypass keypass
java KnownSalt.java equal-halves.jceks
k -genseckey -alias des -keyalg DESede -storetype JCEKS -keystore secret-keys.jceks -storepass storepass -keypass keypassdes

# Credential stores of Hadoop, by the class behind `hadoop credential create` (hadoop-client-api and -runtime 3.3.5, slf4j-api and
# commons-logging on CLASSPATH): one with Hadoop's own password, "none", and one with another.
credential() { java org.apache.hadoop.security.alias.CredentialShell create "$1" -value "$2" -provider "localjceks://file$PWD/$3" >/dev/null 2>&1; }
credential db.password 's3crét pass' hadoop.jceks
credential Second two hadoop.jceks
HADOOP_CREDSTORE_PASSWORD=storepass credential db-password other hadoop-password.jceks
# A secret that keytool stored: a key of another class than Hadoop's, which Hadoop reads.
echo secret-of-keytool | k -importpass -alias tool -storetype JCEKS -keystore keytool.jceks -storepass storepass -keypass storepass
chmod 644 hadoop.jceks hadoop-password.jceks keytool.jceks
