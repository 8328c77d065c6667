package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"
)

// measureServing measures the cost of serving metrics. Other measurements have rows of their own with a floaty that is scraped.
func (b *bench) measureServing(ctx context.Context) error {
	if !b.short {
		if err := b.scrapes(ctx); err != nil {
			return err
		}
	}
	return b.floods(ctx)
}

// scrapes measures two floaties that hold the same addresses at the same time, one of which is scraped.
func (b *bench) scrapes(ctx context.Context) error {
	const n, times = 100, 300
	s := settings{addresses: n, protocol: http2, interval: 10 * time.Second}
	name := fmt.Sprintf("%d scrapes", times)
	_, err := b.each(ctx, 3, s, func(w *world) (values []float64, err error) {
		err = b.in(ctx, s, func(other *world) error {
			for _, world := range []*world{w, other} {
				if _, err := world.takeOver(ctx); err != nil {
					return err
				}
			}
			before, beforeOther, err := usages(w, other)
			if err != nil {
				return err
			}
			// This must be slower than 20 per second, above which floaty refuses scrapes: a refused scrape takes time, too.
			refused, err := scrape(ctx, w.socket(), 60*time.Millisecond, times)
			if err != nil {
				return err
			}
			b.count("refused scrapes at 17 per second", refused, 0, 0)
			after, afterOther, err := usages(w, other)
			cpu := after.cpu - before.cpu - (afterOther.cpu - beforeOther.cpu)
			values = []float64{after.rss, afterOther.rss, after.rss - afterOther.rss, ms(cpu) / times}
			return err
		})
		return values, err
	},
		figure{Group: servingGroup, Name: "after " + name, Addresses: n, Unit: "MiB RSS", Goal: 28},
		figure{Group: servingGroup, Name: "at the same time without scrapes", Addresses: n, Unit: "MiB RSS"},
		figure{Group: servingGroup, Name: "after " + name + ", more than without", Addresses: n, Unit: "MiB RSS", Goal: 6},
		figure{Group: servingGroup, Name: "a scrape", Addresses: n, Unit: "ms CPU", Goal: 5},
	)
	return err
}

// usages returns the usage of the floaties of two worlds.
func usages(w, other *world) (usage, usage, error) {
	own, err := usageOf(w.host.FloatyPID())
	if err != nil {
		return own, own, err
	}
	others, err := usageOf(other.host.FloatyPID())
	return own, others, err
}

// floods measures the event path during a flood of requests, compared with the same flood of another floaty, which is a standby.
func (b *bench) floods(ctx context.Context) error {
	s := settings{addresses: few, singles: few, open: true}
	flood := func(name string, target func(w, other *world) *world, least float64) (float64, error) {
		f := figure{Group: servingGroup, Addresses: few, Unit: "ms"}
		p50, p99 := f, f
		p50.Name, p99.Name = "MASTER line to first byte, "+name+", p50", "MASTER line to first byte, "+name+", p99"
		if p50.Least = least; least > 0 {
			p50.Goal = max(5, 1.2*least)
		}
		return b.each(ctx, 3, s, func(w *world) (values []float64, err error) {
			err = b.in(ctx, s, func(other *world) error {
				if err := errors.Join(w.standBy(ctx), other.standBy(ctx)); err != nil {
					return err
				}
				stop, err := target(w, other).flood(ctx)
				if err != nil {
					return err
				}
				defer stop()
				times, err := w.firstBytes(ctx, 100)
				if err == nil {
					values = []float64{percentile(times, 50), percentile(times, 99)}
				}
				return err
			})
			return values, err
		}, p50, p99)
	}
	least, err := flood("a flood of another process", func(_, other *world) *world { return other }, 0)
	if err == nil {
		_, err = flood("a flood", func(w, _ *world) *world { return w }, least)
	}
	return err
}

// flood attacks the world's floaty over TCP until stop is called, with a thousand scrapes per second, clients that read or write one byte per
// second, and a thousand new connections per second, ten thousand in all.
func (w *world) flood(ctx context.Context) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	stop = func() { cancel(); clients.Wait() }
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				_, _ = scrape(ctx, client("tcp", w.listen, time.Second), 4*time.Millisecond, math.MaxInt) // most scrapes of a flood are refused
			}
		})
	}
	err = await(ctx, "floaty to refuse a scrape", func() bool {
		refused, err := scrape(ctx, client("tcp", w.listen, time.Second), time.Millisecond, 1)
		return err == nil && refused > 0
	})
	if err != nil {
		stop()
		return nil, err
	}
	for i := range 20 {
		clients.Go(func() { dawdle(ctx, w.listen, i%2 == 0) })
	}
	clients.Go(func() { connect(ctx, w.listen, 10_000) })
	return stop, nil
}

// dawdle sends a request, or reads the answer to one, at one byte per second.
func dawdle(ctx context.Context, address string, sending bool) {
	for ctx.Err() == nil {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
		if err != nil {
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		if !sending {
			_, err = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}
		for err == nil {
			if sending {
				_, err = io.WriteString(conn, "G")
			} else {
				_, err = conn.Read(make([]byte, 1))
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		stop()
		_ = conn.Close()
	}
}

// connect opens n connections, one per millisecond and up to 200 at a time, and sends nothing on them.
func connect(ctx context.Context, address string, n int) {
	var open [200]net.Conn
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; i < n && ctx.Err() == nil; i++ {
		<-tick.C
		conn, err := (&net.Dialer{Timeout: 50 * time.Millisecond}).DialContext(ctx, "tcp", address)
		if err != nil {
			continue
		}
		if oldest := open[i%len(open)]; oldest != nil {
			_ = oldest.Close()
		}
		open[i%len(open)] = conn
	}
	for _, conn := range open {
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// client returns an HTTP client that connects only to one address.
func client(network, address string, timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
}

// socket returns a client of floaty's unix socket.
func (w *world) socket() *http.Client {
	found, _ := filepath.Glob(w.host.Path("state/*.sock"))       // the pattern is valid
	return client("unix", append(found, "missing")[0], patience) // if none is found, the scrape fails
}

// scrape requests the metrics so many times, or until ctx ends, with a pause of each. It returns how often floaty refused.
func scrape(ctx context.Context, client *http.Client, each time.Duration, times int) (refused int, err error) {
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/metrics", nil)
	tick := time.NewTicker(each)
	defer tick.Stop()
	for range times {
		if err != nil {
			return refused, err
		}
		var resp *http.Response
		if resp, err = client.Do(req); err != nil {
			return refused, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close() // it was only read
		if resp.StatusCode != http.StatusOK {
			refused++
		}
		select {
		case <-ctx.Done():
			return refused, nil
		case <-tick.C:
		}
	}
	return refused, err
}

// scrapeEachSecond scrapes the world's floaty once per second until stop is called, if the settings say so. A failed or refused scrape is
// recorded as a wrong count.
func (w *world) scrapeEachSecond(ctx context.Context) (stop func()) {
	if !w.scraped {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var refused int
	var err error
	var work sync.WaitGroup
	work.Go(func() { refused, err = scrape(ctx, w.socket(), time.Second, math.MaxInt) })
	return func() {
		cancel()
		work.Wait()
		if err != nil && !errors.Is(err, context.Canceled) {
			refused++
		}
		w.bench.count("scrapes that fail, of one per second", refused, 0, 0)
	}
}
