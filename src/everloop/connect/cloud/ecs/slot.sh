# Written by everloop export terraform; it is yours to change. Run as: sh -c "$(cat slot.sh)" house run --port 8321 …
# Each task has a house folder of its own for as long as it lives. What a task that died had not sealed is sealed by the next one there.
set -eu
slot=1
while [ "$slot" -le "${SLOTS:-64}" ]; do
  folder="${HOUSES:-/house}/$slot"
  mkdir -p "$folder"
  exec 9>"$folder/.taken"
  if flock -n 9; then
    exec everloop "$@" --house "$folder"
  fi
  slot=$((slot + 1))
done
echo "All ${SLOTS:-64} folders in ${HOUSES:-/house} are taken." >&2
exit 1
