# Shows each program that starts in the pod's process namespace, once, to parse.rs, until it is ended. Needs sh and cat.
seen=
while :; do
  for pid in /proc/[0-9]*; do
    pid=${pid#/proc/}
    # The pause container and this shell.
    if [ "$pid" = 1 ] || [ "$pid" = $$ ]; then continue; fi
    case $seen in *" $pid "*) continue ;; esac
    { IFS= read -r name </proc/"$pid"/comm; } 2>/dev/null || continue
    # The runtime, before it becomes the program.
    case $name in runc*|crun*) continue ;; esac
    seen="$seen $pid "
    echo ">>> started $pid"; cat /proc/"$pid"/cmdline 2>/dev/null; echo
  done
done
