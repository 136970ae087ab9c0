package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"keyreeve/pkg/ionos/ionostest"
)

const (
	// folk is how many users the contract has that is swept, with three keys each, and a page how many IONOS lists at once.
	folk, page = 10_000, 100
	// pageTrip is how long IONOS takes for a page of users with their keys, and keysTrip for the keys of one user.
	pageTrip, keysTrip = 100 * time.Millisecond, 5 * time.Millisecond
	// readsASecond and readBurst are the rate limit where the keys of each user have to be asked for: so high that the
	// measurement ends.
	readsASecond, readBurst = 1000, 900
	// readsAtOnce is how many reads may be under way.
	readsAtOnce = 8
)

// sweeps measures what a sweep takes where IONOS lists users with their keys, and where it does not.
func sweeps(ctx context.Context, dir string) (table, error) {
	pages, err := sweep(ctx, dir, nil, pageTrip)
	if err != nil {
		return nil, err
	}
	single, err := sweep(ctx, dir, func(ionostest.User) ionostest.Nesting { return ionostest.NoKeys }, keysTrip)
	if err != nil {
		return nil, err
	}
	const people = "10,000 users with three keys each"
	allowed := time.Duration(single.reads-readBurst) * time.Second / readsASecond
	return table{
		{what: "Reads of a sweep", how: people, value: float64(pages.reads), limit: 101, form: "%.0f"},
		{
			what: "Time of a sweep, to that of its reads alone", value: float64(pages.took) / float64(pages.bare), limit: 1.2, form: "%.2f",
			how: fmt.Sprintf("%.1f s with the report, to %.1f s of a program that only reads", pages.took.Seconds(), pages.bare.Seconds()),
		},
		{what: "Peak memory of `sweep`", how: people, value: megabytes(pages.memory), limit: 64, form: "%.1f MB"},
		{what: "Reads of a sweep, user by user", how: people, value: float64(single.reads), limit: 10_101, form: "%.0f"},
		{what: "Reads at once, user by user", how: "the most at any moment", value: float64(single.atOnce), limit: readsAtOnce, form: "%.0f"},
		{
			what: "Time of a sweep, user by user, to that which the rate limit allows", value: float64(single.took) / float64(allowed), limit: 1.2, form: "%.2f",
			how: fmt.Sprintf("%.1f s to %.1f s, at %d reads a second after a burst of %d", single.took.Seconds(), allowed.Seconds(), readsASecond, readBurst),
		},
		{what: "Peak memory of `sweep`, user by user", how: people, value: megabytes(single.memory), limit: 64, form: "%.1f MB"},
	}, nil
}

// swept is what a sweep took; bare is the time of a program that reads the same pages, one after the other.
type swept struct {
	reads, atOnce, memory int64
	took, bare            time.Duration
}

func sweep(ctx context.Context, dir string, nesting func(ionostest.User) ionostest.Nesting, trip time.Duration) (result swept, err error) {
	w, err := newWorld(dir, trip, 0)
	if err != nil {
		return swept{}, err
	}
	defer w.close()
	w.ionos.Nesting, w.ionos.ModifiedMetadata = nesting, true
	w.ionos.Reads = ionostest.Limit{PerMinute: 60 * readsASecond, Burst: readBurst}
	w.populate()
	front, err := w.newFront()
	if err != nil {
		return swept{}, err
	}
	defer front.Close()
	watch := &watched{next: front.Config.Handler}
	front.Config.Handler = watch
	f, err := start(ctx, filepath.Join(dir, "sweep"), w.environment(front))
	if err != nil {
		return swept{}, err
	}
	defer f.stop()
	got, took, err := invoke[struct {
		Users   int
		Keys    int
		Stopped any
		Report  string
	}](f, struct{}{})
	if err != nil {
		return swept{}, err
	}
	if got.Users != folk || got.Keys != 3*(folk-1) || got.Stopped != nil || got.Report == "" {
		return swept{}, fmt.Errorf("the sweep did not do what it should: %+v", got)
	}
	result = swept{took: took, reads: watch.calls.Load(), atOnce: watch.most.Load()}
	if result.memory, err = f.peakMemory(); err == nil {
		result.bare, err = w.readPages(ctx, front)
	}
	return result, err
}

// populate adds users to the owner of the contract: each has an old key, a young one, and one that was switched off.
func (w *world) populate() {
	now := time.Now()
	for i := range folk - 1 {
		u := w.ionos.AddUser(ionostest.User{Email: fmt.Sprintf("person%d@example.com", i)})
		w.ionos.AddKey(u.ID, ionostest.Key{Active: true, Created: now.AddDate(0, 0, -i%700)})
		w.ionos.AddKey(u.ID, ionostest.Key{Active: true, Created: now.AddDate(0, 0, -i%80)})
		w.ionos.AddKey(u.ID, ionostest.Key{Created: now.AddDate(0, 0, -400), Modified: now.AddDate(0, 0, -i%60)})
	}
}

// readPages reads all pages as a sweep does, and returns how long that took.
func (w *world) readPages(ctx context.Context, f *front) (time.Duration, error) {
	began := time.Now()
	for offset := 0; offset <= folk; offset += page {
		url := fmt.Sprintf("%s%s/um/users?depth=3&pretty=false&limit=%d&offset=%d", f.URL, ionostest.BasePath, page, offset)
		if err := w.get(ctx, f, url); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// get makes a call of the Cloud API and reads the answer.
func (w *world) get(ctx context.Context, f *front, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+w.ionos.Token(w.owner.ID))
	resp, err := f.Client().Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// watched counts calls.
type watched struct {
	next             http.Handler
	calls, now, most atomic.Int64
}

func (c *watched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.calls.Add(1)
	now := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	c.next.ServeHTTP(w, r)
}
