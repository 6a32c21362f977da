# Shows the absolute paths that a program's words, its file and its configuration name, to parse.rs. The words are the
# arguments, the program the first of them. Needs sh, grep and sort.
echo ">>> paths"
{
  for word; do
    printf '%s\n' "$word"
    file=$(command -v -- "$word" 2>/dev/null)
    [ -f "${file:-$word}" ] && cat -- "${file:-$word}" 2>/dev/null
  done
  name=${1##*/}
  for file in /etc/"$name" /etc/"$name"*.conf /etc/"$name"*/*.conf; do [ -f "$file" ] && cat -- "$file" 2>/dev/null; done
} | grep -aoE '/(srv|var|run|opt|data|home|mnt|app|usr/local)(/[A-Za-z0-9_.+-]+)*' 2>/dev/null | sort -u | head -n 400
echo ">>> end"
