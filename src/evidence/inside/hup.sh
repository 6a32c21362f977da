# Sends SIGHUP to the first process of a trial's container where that process catches it, and says so.
# The first bit of SigCgt (proc_pid_status(5)) is that of signal 1.
while read -r name value; do
  [ "$name" = SigCgt: ] || continue
  case $value in *[13579bdf]) kill -HUP 1 && echo sent ;; esac
done </proc/1/status
