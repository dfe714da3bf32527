#!/bin/sh
# Runs tests of the executor under ThreadSanitizer, which finds data races on plain memory and uses of locks
# that do not order what they should. Needs a nightly toolchain with the component rust-src: the standard library
# is built with the sanitizer, too, or its locks and channels would be reported as races.
#
#   scripts/tsan.sh                                unit tests, and those of channels, locks and tasks
#   scripts/tsan.sh -p gopark --test chan_history  one test
#
# What it cannot see: fences (it knows only the accesses), and the process-wide barrier. What they alone order, in
# the biased locks of channels, the bell of the monitor and a P that is taken by force, is checked by the models.
set -eu
cd "$(dirname "$0")/.."
host=x86_64-unknown-linux-gnu
export RUSTFLAGS="-Zsanitizer=thread"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/tsan"
# All reports of a test, and not only the first.
export TSAN_OPTIONS="halt_on_error=0:second_deadlock_stack=1"
run() {
    cargo +nightly test -Zbuild-std --target "$host" "$@"
}
if [ $# -gt 0 ]; then
    run "$@"
    exit
fi
run -p gopark-net --lib
run -p gopark --lib
for name in chan_order chan_values chan_memory_model sync_mutex sync_rwlock sync_semaphore sync_notify \
    sync_oneshot sync_watch sync_broadcast task_spawn task_abort task_join_set runtime_enter; do
    run -p gopark --test "$name"
done
