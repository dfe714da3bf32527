// Calls that block, and goroutines that hold their processor.
//
// syscall.Syscall tells the scheduler that a thread goes away; syscall.RawSyscall does not.
package main

import (
	"os"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

func blockCall(size int) float64 {
	const slice = 1_000
	added := make([]float64, (size+slice-1)/slice)
	for i := range added {
		start := time.Now()
		for n := 0; n < slice; n++ {
			syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
		bare := nsPerOp(start, slice)
		start = time.Now()
		for n := 0; n < slice; n++ {
			syscall.Syscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
		added[i] = nsPerOp(start, slice) - bare
		runtime.Gosched()
	}
	// Of the slices, the one in the middle: one that was interrupted tells nothing.
	sort.Float64s(added)
	return max(added[len(added)/2], 0.1)
}

func blockYield(size int) float64 {
	const tasks = 16
	start := time.Now()
	atOnce(tasks, func() {
		for n := 0; n < size; n++ {
			syscall.Syscall(syscall.SYS_GETPPID, 0, 0, 0)
			runtime.Gosched()
		}
	})
	return nsPerOp(start, tasks*size)
}

func stallSleep(millis int, nap func(*syscall.Timespec) syscall.Errno) float64 {
	duration := time.Duration(millis) * time.Millisecond
	return lateness(func() {
		for n := 0; n < 3; n++ {
			atOnce(2*runtime.GOMAXPROCS(0), func() { sleepInSystem(duration, nap) })
			time.Sleep(duration / 4)
		}
	})
}

// A signal, such as the scheduler's own, ends the system call early; then the rest is slept, as
// Rust's thread::sleep does.
func sleepInSystem(duration time.Duration, nap func(*syscall.Timespec) syscall.Errno) {
	left := syscall.NsecToTimespec(duration.Nanoseconds())
	for {
		err := nap(&left)
		if err == 0 {
			return
		}
		if err != syscall.EINTR {
			check(err)
		}
	}
}

func markedNap(left *syscall.Timespec) syscall.Errno {
	_, _, err := syscall.Syscall(
		syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(left)), uintptr(unsafe.Pointer(left)), 0)
	return err
}

func unmarkedNap(left *syscall.Timespec) syscall.Errno {
	_, _, err := syscall.RawSyscall(
		syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(left)), uintptr(unsafe.Pointer(left)), 0)
	return err
}

// For the echo servers whose handlers block for some messages.
func stall(message []byte, nap func(*syscall.Timespec) syscall.Errno) {
	if message[0] == 'b' {
		sleepInSystem(20*time.Millisecond, nap)
	}
}

// So many tasks for each processor compute and never yield.
func stallCompute(millis, each int) float64 {
	duration := time.Duration(millis) * time.Millisecond
	return lateness(func() {
		atOnce(each*runtime.GOMAXPROCS(0), func() { compute(duration) })
	})
}

// Where the result goes, so that it must be computed.
var computed atomic.Uint64

func compute(duration time.Duration) {
	start := time.Now()
	sum := uint64(0)
	for time.Since(start) < duration {
		for n := uint64(0); n < 10_000; n++ {
			sum = sum*31 + n
		}
	}
	computed.Add(sum)
}

// The worst lateness, in milliseconds, of a ticker that is due each millisecond while trouble goes on.
func lateness(trouble func()) float64 {
	var stop atomic.Bool
	worst := make(chan time.Duration, 1)
	go func() {
		due := time.Now()
		latest := time.Duration(0)
		for !stop.Load() {
			due = due.Add(time.Millisecond)
			time.Sleep(time.Until(due))
			latest = max(latest, time.Since(due))
		}
		worst <- latest
	}()
	time.Sleep(5 * time.Millisecond)
	trouble()
	stop.Store(true)
	return float64((<-worst).Nanoseconds()) / 1e6
}

func atOnce(tasks int, work func()) {
	var all sync.WaitGroup
	all.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			work()
			all.Done()
		}()
	}
	all.Wait()
}

func readAt(size int) float64 {
	const block, blocks = 4096, 256
	file, err := os.CreateTemp("", "gopark-benches-")
	check(err)
	check(os.Remove(file.Name()))
	_, err = file.Write(make([]byte, block*blocks))
	check(err)
	buffer := make([]byte, block)
	start := time.Now()
	for n := 0; n < size; n++ {
		_, err := file.ReadAt(buffer, int64(n%blocks*block))
		check(err)
	}
	return nsPerOp(start, size)
}
