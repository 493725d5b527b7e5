# Written by everloop export terraform; it is yours to change. Run as: sh -c "$(cat sweep.sh)" house worker …
# In each folder that no task has and in which answers wait, a worker seals them and ends.
set -eu
for folder in "${HOUSES:-/house}"/*/; do
  folder="${folder%/}"
  [ -n "$(find "$folder/answers" -name '*.answers' 2>/dev/null | head -n 1)" ] || continue
  exec 9>"$folder/.taken"
  flock -n 9 || continue
  echo "Answers wait in $folder, which no task has."
  everloop "$@" --house "$folder" &
  worker=$!
  waited=0
  while [ -n "$(find "$folder/answers" -name '*.answers' | head -n 1)" ] && [ "$waited" -lt "${LONGEST:-120}" ] && kill -0 "$worker"; do
    sleep 1
    waited=$((waited + 1))
  done
  kill -TERM "$worker" 2>/dev/null || true
  wait "$worker" || true
  exec 9>&-
done
