package main

import (
	"reflect"
	"sync"
	"time"
)

// The selects of the group `chan`.
func init() {
	workloads["select_2"] = select2
	workloads["select_8"] = select8
	workloads["select_wait_2"] = selectWait2
	workloads["select_wait_8"] = selectWait8
	workloads["select_wait_64"] = selectWait64
	workloads["select_default_2"] = selectDefault2
	workloads["select_default_8"] = selectDefault8
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

// n empty channels.
func empty(n int) []chan int {
	channels := make([]chan int, n)
	for i := range channels {
		channels[i] = make(chan int, 1)
	}
	return channels
}

func selectDefault2(size int) float64 {
	channels := empty(2)
	a, b := channels[0], channels[1]
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
	return defaulted(start, size, received)
}

func selectDefault8(size int) float64 {
	channels := empty(8)
	a, b, c, d := channels[0], channels[1], channels[2], channels[3]
	e, f, g, h := channels[4], channels[5], channels[6], channels[7]
	received := 0
	start := time.Now()
	for i := 0; i < size; i++ {
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
		default:
		}
	}
	return defaulted(start, size, received)
}

func defaulted(start time.Time, size, received int) float64 {
	figure := nsPerOp(start, size)
	if received != 0 {
		fail("select with default: a message out of nowhere")
	}
	return figure
}

// Another goroutine sends to one channel after the other, each time when the last message was answered;
// receive takes one from any of them.
func answers(n, size int, receive func(channels []chan int) int) float64 {
	channels := empty(n)
	answer := make(chan int, 1)
	received := 0
	start := time.Now()
	var sending sync.WaitGroup
	sending.Add(1)
	go func() {
		for i := 0; i < size; i++ {
			channels[i%n] <- 1
			<-answer
		}
		sending.Done()
	}()
	for i := 0; i < size; i++ {
		received += receive(channels)
		answer <- 1
	}
	sending.Wait()
	figure := nsPerOp(start, size)
	if received != size {
		fail("select: %d messages of %d", received, size)
	}
	return figure
}

func selectWait2(size int) float64 {
	return answers(2, size, func(channels []chan int) int {
		select {
		case message := <-channels[0]:
			return message
		case message := <-channels[1]:
			return message
		}
	})
}

func selectWait8(size int) float64 {
	return answers(8, size, func(channels []chan int) int {
		select {
		case message := <-channels[0]:
			return message
		case message := <-channels[1]:
			return message
		case message := <-channels[2]:
			return message
		case message := <-channels[3]:
			return message
		case message := <-channels[4]:
			return message
		case message := <-channels[5]:
			return message
		case message := <-channels[6]:
			return message
		case message := <-channels[7]:
			return message
		}
	})
}

// A list that is made at run time.
func selectWait64(size int) float64 {
	var cases []reflect.SelectCase
	return answers(64, size, func(channels []chan int) int {
		if cases == nil {
			for _, channel := range channels {
				receive := reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(channel)}
				cases = append(cases, receive)
			}
		}
		_, message, _ := reflect.Select(cases)
		return int(message.Int())
	})
}
