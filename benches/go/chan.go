package main

import (
	"fmt"
	"sync"
	"time"
)

// The group `chan`.
func init() {
	for name, ends := range map[string][2]int{"spsc": {1, 1}, "mpsc": {16, 1}, "mpmc": {16, 16}} {
		for _, capacity := range []int{0, 1, 128} {
			workloads[fmt.Sprintf("%s_%d", name, capacity)] = func(size int) float64 {
				return stream(ends[0], ends[1], capacity, size)
			}
		}
	}
	workloads["sieve_0"] = func(size int) float64 { return sieve(0, size) }
	workloads["sieve_1"] = func(size int) float64 { return sieve(1, size) }
	workloads["chan_pair"] = chanPair
	workloads["chan_after"] = chanAfter
}

func stream(senders, receivers, capacity, size int) float64 {
	each := size / senders
	messages := make(chan int, capacity)
	counts := make([]int, receivers)
	start := time.Now()
	var sending, receiving sync.WaitGroup
	receiving.Add(receivers)
	for r := 0; r < receivers; r++ {
		go func() {
			count := 0
			for range messages {
				count++
			}
			counts[r] = count
			receiving.Done()
		}()
	}
	sending.Add(senders)
	for s := 0; s < senders; s++ {
		go func() {
			for message := 0; message < each; message++ {
				messages <- message
			}
			sending.Done()
		}()
	}
	sending.Wait()
	close(messages)
	receiving.Wait()
	figure := nsPerOp(start, each*senders)
	total := 0
	for _, count := range counts {
		total += count
	}
	if total != each*senders {
		fail("stream: %d messages of %d", total, each*senders)
	}
	return figure
}

func sieve(capacity, size int) float64 {
	start := time.Now()
	last := make(chan int, capacity)
	go func(numbers chan<- int) {
		for number := 2; number <= size; number++ {
			numbers <- number
		}
		close(numbers)
	}(last)
	primes := 0
	for {
		prime, more := <-last
		if !more {
			return nsPerOp(start, primes)
		}
		primes++
		next := make(chan int, capacity)
		go func(numbers <-chan int, passed chan<- int) {
			for number := range numbers {
				if number%prime != 0 {
					passed <- number
				}
			}
			close(passed)
		}(last, next)
		last = next
	}
}

func chanPair(size int) float64 {
	messages := make(chan int, 1)
	start := time.Now()
	for message := 0; message < size; message++ {
		messages <- message
		if <-messages != message {
			fail("chan_pair: another message")
		}
	}
	return nsPerOp(start, size)
}

// A time limit in a loop: a select of a channel that is ready and of a new timer.
func chanAfter(size int) float64 {
	messages := make(chan int, 1)
	start := time.Now()
	for i := 0; i < size; i++ {
		messages <- i
		select {
		case <-messages:
		case <-time.After(time.Hour):
			fail("chan_after: an hour has passed")
		}
	}
	return nsPerOp(start, size)
}
