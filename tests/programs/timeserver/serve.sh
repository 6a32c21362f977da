#!/bin/bash
set -e
printf 'local stratum %s\nallow\n' "${STRATUM:-10}" > /var/lib/timeserver/settings.rb
chown _chrony /var/lib/timeserver
exec /usr/sbin/chronyd -u _chrony -d -x -f /var/lib/timeserver/settings.rb
