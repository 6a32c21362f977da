# Finds what an obstacle without a path may be about, to parse.rs: lines of configuration files that begin with one of the
# words given as arguments, and databases that programs write in place. Needs sh, grep and find.
words=
for word; do words=${words:+$words|}$word; done
if [ -n "$words" ]; then
  echo ">>> directives"
  grep -rsiE "^[[:space:]]*($words)([.][a-z]+)?[[:space:]=:]" /etc /usr/local/etc /opt /srv /app 2>/dev/null | while IFS= read -r line; do
    case $line in Binary*|/etc/nsswitch.conf*|/etc/adduser.conf*|/etc/deluser.conf*|/etc/login.defs*|/etc/init/*|/etc/init.d/*|/etc/pam.d/*|/etc/security/*|/etc/ssl/*|/etc/skel/*|/etc/logrotate.d/*|/etc/systemd/*) ;; *) printf '%s\n' "$line" ;; esac
  done
fi
echo ">>> databases"
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /usr/lib -o -path /usr/share -o -path /lib -o -path /etc \) -prune \
  -o -type f -size +0 -exec grep -lsa '^SQLite format 3' {} + 2>/dev/null
echo ">>> end"
