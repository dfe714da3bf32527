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
	workloads["select_2"] = select2
	workloads["select_8"] = select8
	workloads["select_default_2"] = selectDefault2
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

const selectBatch = 256

// Calls run, a batch of selects over n channels, some times. The channels are filled between batches,
// for which the clock stands still.
func selections(n, size int, run func(channels []chan int) int) float64 {
	channels := make([]chan int, n)
	for i := range channels {
		channels[i] = make(chan int, selectBatch)
	}
	batches := (size + selectBatch - 1) / selectBatch
	var spent time.Duration
	received := 0
	for b := 0; b < batches; b++ {
		for _, channel := range channels {
			for len(channel) < selectBatch {
				channel <- 1
			}
		}
		start := time.Now()
		received += run(channels)
		spent += time.Since(start)
	}
	if received != batches*selectBatch {
		fail("select: %d messages of %d", received, batches*selectBatch)
	}
	return float64(spent.Nanoseconds()) / float64(received)
}

func select2(size int) float64 {
	return selections(2, size, func(channels []chan int) int {
		a, b := channels[0], channels[1]
		received := 0
		for i := 0; i < selectBatch; i++ {
			select {
			case message := <-a:
				received += message
			case message := <-b:
				received += message
			}
		}
		return received
	})
}

func select8(size int) float64 {
	return selections(8, size, func(channels []chan int) int {
		a, b, c, d := channels[0], channels[1], channels[2], channels[3]
		e, f, g, h := channels[4], channels[5], channels[6], channels[7]
		received := 0
		for i := 0; i < selectBatch; i++ {
			select {
			case message := <-a:
				received += message
			case message := <-b:
				received += message
			case message := <-c:
				received += message
			case message := <-d:
				received += message
			case message := <-e:
				received += message
			case message := <-f:
				received += message
			case message := <-g:
				received += message
			case message := <-h:
				received += message
			}
		}
		return received
	})
}

func selectDefault2(size int) float64 {
	a, b := make(chan int, 1), make(chan int, 1)
	received := 0
	start := time.Now()
	for i := 0; i < size; i++ {
		select {
		case message := <-a:
			received += message
		case message := <-b:
			received += message
		default:
		}
	}
	figure := nsPerOp(start, size)
	if received != 0 {
		fail("select_default_2: a message out of nowhere")
	}
	return figure
}
