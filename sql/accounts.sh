#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the SQL that makes two database accounts: one for the daemons, which may use the tables and
# run the procedures, and one for migrations, which may change them as well. Review it, then
#     sql/accounts.sh --database werss | mariadb -u root
# Running it again sets passwords and privileges anew; nothing else is granted or taken. The SQL
# contains the passwords, so keep it out of files; they never appear on a command line.
set -eu
umask 077

usage() {
	cat <<-EOT
	usage: accounts.sh [option...]
	  --database NAME               database of the tables (werss)
	  --host HOST                   where the accounts connect from (localhost)
	  --daemon-user NAME            account of the daemons (cascade)
	  --migrate-user NAME           account of migrations (cascade_migrate)
	  --daemon-password-file FILE   its first line is the password (./cascade-db.password)
	  --migrate-password-file FILE  its first line is the password (./cascade-migrate-db.password)
	A password file that does not exist is made, with a random password, readable by you alone.
	EOT
}

die() {
	echo "accounts.sh: $*" >&2
	exit 64
}

database=werss
host=localhost
daemon_user=cascade
migrate_user=cascade_migrate
daemon_file=cascade-db.password
migrate_file=cascade-migrate-db.password

while [ $# -gt 0 ]; do
	case $1 in
	--help) usage; exit 0 ;;
	--*) [ $# -ge 2 ] || die "$1 needs a value" ;;
	esac
	case $1 in
	--database) database=$2 ;;
	--host) host=$2 ;;
	--daemon-user) daemon_user=$2 ;;
	--migrate-user) migrate_user=$2 ;;
	--daemon-password-file) daemon_file=$2 ;;
	--migrate-password-file) migrate_file=$2 ;;
	*) die "unknown argument $1, see --help" ;;
	esac
	shift 2
done

# plain WHAT VALUE: what stands in the SQL as a name is limited to what needs no quoting rules.
plain() {
	case $2 in
	'' | *[!A-Za-z0-9_.:%-]*) die "$1 may have letters, digits and _.:%- only: '$2'" ;;
	esac
}
plain --database "$database"
plain --host "$host"
plain --daemon-user "$daemon_user"
plain --migrate-user "$migrate_user"
[ "$daemon_user" != "$migrate_user" ] || die "the two accounts must differ"

# password FILE: makes FILE if it does not exist; prints its first line as an SQL string.
password() {
	if [ ! -e "$1" ]; then
		od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n' >"$1"
		echo >>"$1"
		echo "accounts.sh: wrote a new password to $1" >&2
	fi
	secret=$(sed -e "s/[\\\\']/&&/g" -e q "$1") || die "cannot read $1"
	[ -n "$secret" ] || die "the first line of $1 is empty"
	printf "'%s'" "$secret"
}

# In a GRANT _ and % of a database's name are wildcards unless escaped.
pattern=$(printf '%s' "$database" | sed 's/[_%]/\\&/g')
use='SELECT, INSERT, UPDATE, DELETE, EXECUTE'
change='CREATE, ALTER, INDEX, DROP, REFERENCES, CREATE ROUTINE, ALTER ROUTINE'
daemon_password=$(password "$daemon_file")
migrate_password=$(password "$migrate_file")

# account USER PASSWORD PRIVILEGES
account() {
	cat <<-EOT
	CREATE USER IF NOT EXISTS '$1'@'$host' IDENTIFIED BY $2;
	ALTER USER '$1'@'$host' IDENTIFIED BY $2;
	GRANT $3 ON \`$pattern\`.* TO '$1'@'$host';
	EOT
}

echo '-- for the daemons: cascade-fcgi, cascaded'
account "$daemon_user" "$daemon_password" "$use"
echo '-- for migrations: cascadectl schema install'
account "$migrate_user" "$migrate_password" "$use, $change"
