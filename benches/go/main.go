// The workloads of gopark-benches in Go.
//
//	versus-go WORKLOAD SIZE PROCS
//
// runs one workload once and prints one number, in the unit that the workload has there (see
// benches/src/workload); the echo servers print their address and serve until the standard input ends.
// Everything that is not the workload itself happens before the clock starts, as in Rust.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var workloads = map[string]func(size int) float64{
	"spawn_join":      spawnJoin,
	"spawn_many":      spawnMany,
	"spawn_detached":  spawnDetached,
	"yield":           func(size int) float64 { return yield(1_000, size) },
	"yield_few":       func(size int) float64 { return yield(2, size) },
	"ring":            func(laps int) float64 { return ring(1_000, laps) },
	"ring_100":        func(laps int) float64 { return ring(100, laps) },
	"ping_pong":       pingPong,
	"skynet":          skynet,
	"timeout_unfired": timeoutUnfired,
	"sleeps_cpu":      sleepsCPU,
	"block_call":      blockCall,
	"block_yield":     blockYield,
	"stall_sleep":     func(millis int) float64 { return stallSleep(millis, unmarkedNap) },
	"stall_block":     func(millis int) float64 { return stallSleep(millis, markedNap) },
	"stall_compute":   func(millis int) float64 { return stallCompute(millis, 1) },
	"stall_hogs":      func(millis int) float64 { return stallCompute(millis, 2) },
	"read_at":         readAt,
	"mem_idle_task":   memIdleTask,
	"idle_cpu":        idleCPU,
	"idle_switches":   idleSwitches,
}

// What each echo server does with a message before it sends it back.
var servers = map[string]func(message []byte){
	"echo":             func([]byte) {},
	"stall_echo":       func(message []byte) { stall(message, unmarkedNap) },
	"stall_rate":       func(message []byte) { stall(message, unmarkedNap) },
	"stall_p90":        func(message []byte) { stall(message, unmarkedNap) },
	"stall_echo_block": func(message []byte) { stall(message, markedNap) },
}

func main() {
	if len(os.Args) != 4 {
		fail("expected WORKLOAD SIZE PROCS, got %q", os.Args[1:])
	}
	size := number(os.Args[2])
	runtime.GOMAXPROCS(number(os.Args[3]))
	if handle, known := servers[os.Args[1]]; known {
		echo(handle)
		return
	}
	run, known := workloads[os.Args[1]]
	if !known {
		fail("unknown workload %q", os.Args[1])
	}
	fmt.Println(run(size))
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		fail("%q: expected a whole number", text)
	}
	return n
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "versus-go: "+format+"\n", args...)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func nsPerOp(start time.Time, ops int) float64 {
	return float64(time.Since(start).Nanoseconds()) / float64(ops)
}

// A goroutine has no join handle; a channel of capacity 1 that takes its result is the usual stand-in.
func spawnJoin(size int) float64 {
	start := time.Now()
	for i := 0; i < size; i++ {
		result := make(chan int, 1)
		go func() { result <- i }()
		<-result
	}
	return nsPerOp(start, size)
}

func spawnMany(size int) float64 {
	const batch = 10_000
	batches := (size + batch - 1) / batch
	start := time.Now()
	for b := 0; b < batches; b++ {
		var all sync.WaitGroup
		all.Add(batch)
		for i := 0; i < batch; i++ {
			go func() { all.Done() }()
		}
		all.Wait()
	}
	return nsPerOp(start, batches*batch)
}

func spawnDetached(size int) float64 {
	var all sync.WaitGroup
	all.Add(size)
	start := time.Now()
	go func() {
		for i := 0; i < size; i++ {
			go all.Done()
		}
	}()
	all.Wait()
	return nsPerOp(start, size)
}

func yield(tasks, yields int) float64 {
	start := time.Now()
	var all sync.WaitGroup
	all.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			for y := 0; y < yields; y++ {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
	return nsPerOp(start, tasks*yields)
}

func ring(tasks, laps int) float64 {
	hops := laps * tasks
	first := make(chan int, 1)
	done := make(chan struct{})
	inbox := first
	for i := 1; i <= tasks; i++ {
		next := first
		if i < tasks {
			next = make(chan int, 1)
		}
		go func(inbox <-chan int, next chan<- int) {
			for hopsLeft := range inbox {
				if hopsLeft == 0 {
					close(done)
					return
				}
				next <- hopsLeft - 1
			}
		}(inbox, next)
		inbox = next
	}
	start := time.Now()
	first <- hops
	<-done
	return nsPerOp(start, hops)
}

func pingPong(size int) float64 {
	const tasks = 1_000
	start := time.Now()
	var all sync.WaitGroup
	all.Add(tasks)
	for i := 0; i < tasks; i++ {
		ping, pong := make(chan uint32, 1), make(chan uint32, 1)
		go func() {
			for ball := range ping {
				pong <- ball
			}
		}()
		go func() {
			for n := 0; n < size; n++ {
				ping <- 1
				<-pong
			}
			close(ping)
			all.Done()
		}()
	}
	all.Wait()
	return nsPerOp(start, tasks*size)
}

func skynet(size int) float64 {
	const tree = 111_111
	start := time.Now()
	for i := 0; i < size; i++ {
		sum := make(chan uint64, 1)
		go node(sum, 0, 100_000)
		if <-sum != 99_999*100_000/2 {
			fail("skynet: wrong sum")
		}
	}
	return nsPerOp(start, size*tree)
}

func node(parent chan<- uint64, first, leaves uint64) {
	if leaves == 1 {
		parent <- first
		return
	}
	children := make(chan uint64, 10)
	for i := uint64(0); i < 10; i++ {
		go node(children, first+i*leaves/10, leaves/10)
	}
	var sum uint64
	for i := 0; i < 10; i++ {
		sum += <-children
	}
	parent <- sum
}

func timeoutUnfired(size int) float64 {
	start := time.Now()
	for i := 0; i < size; i++ {
		limit := time.NewTimer(time.Hour)
		runtime.Gosched()
		limit.Stop()
	}
	return nsPerOp(start, size)
}

func sleepsCPU(size int) float64 {
	const longest = 2_000_000_000
	before := cpuTime()
	random := uint64(0x9E37_79B9_7F4A_7C15)
	var all sync.WaitGroup
	all.Add(size)
	for i := 0; i < size; i++ {
		random ^= random << 13
		random ^= random >> 7
		random ^= random << 17
		duration := time.Duration(random % longest)
		go func() {
			time.Sleep(duration)
			all.Done()
		}()
	}
	all.Wait()
	return float64((cpuTime() - before).Nanoseconds()) / float64(size)
}

func memIdleTask(size int) float64 {
	before := residentBytes()
	forever := make(chan struct{})
	var arrived atomic.Int64
	for n := 0; n < size; {
		for end := min(n+100, size); n < end; n++ {
			go func() {
				arrived.Add(1)
				<-forever
			}()
		}
		for arrived.Load() < int64(n) {
			runtime.Gosched()
		}
	}
	after := residentBytes()
	runtime.KeepAlive(forever)
	return float64(after-before) / float64(size)
}

func idleCPU(seconds int) float64 {
	rest()
	before := cpuTime()
	time.Sleep(time.Duration(seconds) * time.Second)
	return float64((cpuTime() - before).Microseconds()) / float64(seconds)
}

func idleSwitches(seconds int) float64 {
	rest()
	before := voluntarySwitches()
	time.Sleep(time.Duration(seconds) * time.Second)
	return float64(voluntarySwitches()-before) / float64(seconds)
}

// A goroutine that waits for ever, and a second to come to rest.
func rest() {
	go func() { select {} }()
	time.Sleep(time.Second)
}

func echo(handle func(message []byte)) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr())
	go func() {
		for {
			conn, err := listener.Accept()
			check(err)
			go serve(conn, handle)
		}
	}()
	_, err = bufio.NewReader(os.Stdin).ReadByte()
	if err != io.EOF {
		check(err)
	}
}

func serve(conn net.Conn, handle func(message []byte)) {
	defer conn.Close()
	buffer := make([]byte, 1024)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		handle(buffer[:n])
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func residentBytes() int64 {
	return field("/proc/self/smaps_rollup", "Rss:") * 1024
}

func voluntarySwitches() int64 {
	threads, err := filepath.Glob("/proc/self/task/*/status")
	check(err)
	var total int64
	for _, status := range threads {
		total += field(status, "voluntary_ctxt_switches:")
	}
	return total
}

func field(path, name string) int64 {
	text, err := os.ReadFile(path)
	check(err)
	for _, line := range strings.Split(string(text), "\n") {
		if rest, found := strings.CutPrefix(line, name); found {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			check(err)
			return n
		}
	}
	fail("%s: no line %q", path, name)
	return 0
}
