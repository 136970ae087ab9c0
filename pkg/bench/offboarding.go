package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"keyreeve/pkg/ionos/ionostest"
)

const (
	// trip is how long a call to IONOS takes.
	trip = 25 * time.Millisecond
	// leavers is how many people leave.
	leavers = 20
)

// offboardings compares the time that a leaver's five keys need until they are off with that of the calls to IONOS
// that have to wait for each other: find the user, list the keys, switch them all. The last key waits for the answer
// of Object Storage as well, which is one call more where that takes time.
func offboardings(ctx context.Context, dir string) (table, error) {
	atOnce, err := offboarding(ctx, dir, 0, 3)
	if err != nil {
		return nil, err
	}
	atOnce.what, atOnce.limit = "Offboarding with five keys, to 3 round trips", 1.3
	waiting, err := offboarding(ctx, dir, trip, 4)
	if err != nil {
		return nil, err
	}
	waiting.what = "The same with Object Storage as slow, to 4 round trips"
	return table{atOnce, waiting}, nil
}

func offboarding(ctx context.Context, dir string, s3Trip time.Duration, trips int) (row, error) {
	w, err := newWorld(dir, trip, s3Trip)
	if err != nil {
		return row{}, err
	}
	defer w.close()
	front, err := w.newFront()
	if err != nil {
		return row{}, err
	}
	defer front.Close()
	deactivate, err := start(ctx, filepath.Join(dir, "deactivate"), w.environment(front))
	if err != nil {
		return row{}, err
	}
	defer deactivate.stop()
	if _, err := w.offboard(deactivate, "first"); err != nil {
		return row{}, err
	}
	var times, real []time.Duration
	for i := range leavers {
		took, err := w.offboard(deactivate, fmt.Sprintf("leaver%d", i))
		if err != nil {
			return row{}, err
		}
		once, err := w.roundTrip(ctx, front)
		if err != nil {
			return row{}, err
		}
		times, real = append(times, took), append(real, once)
	}
	return row{
		how: fmt.Sprintf("%s to %d × %d ms, median of %d people; a round trip really took %s",
			milliseconds(median(times)), trips, trip.Milliseconds(), leavers, milliseconds(median(real))),
		value: float64(median(times)) / float64(trip*time.Duration(trips)), form: "%.2f",
	}, nil
}

// offboard offboards a person who has five active keys, and makes sure that none is left.
func (w *world) offboard(deactivate *function, name string) (time.Duration, error) {
	person := w.newPerson(name)
	took, err := deactivate.ask(request{Action: "deactivate", User: person.Email, Offboarding: true}, "changed", false)
	if err != nil {
		return 0, err
	}
	return took, w.allInactive(person)
}

// roundTrip measures a call without a function in between.
func (w *world) roundTrip(ctx context.Context, f *front) (time.Duration, error) {
	began := time.Now()
	err := w.get(ctx, f, f.URL+ionostest.BasePath+"/contracts")
	return time.Since(began), err
}
