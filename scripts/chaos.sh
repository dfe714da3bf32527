#!/usr/bin/env bash
# Random compositions for an hour, in debug and in release, with few processors and many:
#
#     scripts/chaos.sh             an hour in all
#     scripts/chaos.sh 120         120 seconds of each of the ten runs
#
# The second half of each run has random delays inside of the scheduler. A failure prints the words that repeat its
# round and ends the script.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly each="${1:-360}"
unset GOPARK_PROCS GOMAXPROCS

for profile in dev release; do
    for procs in random 1 2 4 8; do
        fixed=()
        [ "$procs" = random ] || fixed=(--procs "$procs")
        for feature in "" delays; do
            echo "== $profile, procs $procs ${feature:+with $feature}"
            cargo run --quiet --profile "$profile" -p gopark-chaos ${feature:+--features "$feature"} -- \
                --seconds "$((each / 2))" "${fixed[@]}"
        done
    done
done
