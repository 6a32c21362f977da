# Shows the lines by which the scripts among some words, the arguments, become a program, to parse.rs. Needs sh and grep.
for word; do
  file=$(command -v -- "$word" 2>/dev/null)
  file=${file:-$word}
  if [ ! -f "$file" ] || [ ! -r "$file" ]; then continue; fi
  { IFS= read -r first <"$file"; } 2>/dev/null
  case $first in '#!'*) ;; *) case $file in *.sh) ;; *) continue ;; esac ;; esac
  echo ">>> calls $file"
  grep -aE '^[[:space:]]*exec[[:space:]]' "$file" 2>/dev/null
done
echo ">>> end"
