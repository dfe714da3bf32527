#!/usr/bin/env bash
# Random compositions for an hour, in debug and in release, with few processors and many:
#
#     scripts/chaos.sh             an hour in all
#     scripts/chaos.sh 120         120 seconds of each of the ten runs
#
# A failure prints the words that repeat its round and ends the script.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly each="${1:-360}"
unset GOPARK_PROCS GOMAXPROCS

for profile in dev release; do
    cargo build --quiet --profile "$profile" -p gopark-chaos
    for procs in random 1 2 4 8; do
        fixed=()
        [ "$procs" = random ] || fixed=(--procs "$procs")
        echo "== $profile, procs $procs"
        cargo run --quiet --profile "$profile" -p gopark-chaos -- --seconds "$each" "${fixed[@]}"
    done
done
