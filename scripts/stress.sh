#!/bin/sh
# Runs the stress tests, optimised, for the given number of seconds (600 without one), by turns, each
# minute with another seed. A seed that is in GOPARK_STRESS_SEED is kept.
#
#   scripts/stress.sh 3600
#   GOPARK_STRESS_SEED=123 scripts/stress.sh 60
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-600}
case $seconds in
'' | *[!0-9]*)
    echo "usage: scripts/stress.sh [seconds]" >&2
    exit 2
    ;;
esac
# Half of a short run for each.
most=$((seconds < 120 ? (seconds + 1) / 2 : 60))
set -- stress stress_blocking
while [ "$seconds" -gt 0 ]; do
    round=$((seconds < most ? seconds : most))
    GOPARK_STRESS_SECONDS=$round \
        cargo test --release -p gopark --test "$1" -- --nocapture
    seconds=$((seconds - round))
    set -- "$2" "$1"
done
