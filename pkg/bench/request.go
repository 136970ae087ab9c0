package main

import (
	"fmt"
	"time"

	"keyreeve/pkg/ionos/ionostest"
)

// request asks for an action on all keys of a user or, without an action, for the inventory.
type request struct {
	Action      string   `json:"action,omitempty"`
	User        string   `json:"user"`
	Actor       actor    `json:"actor"`
	Offboarding bool     `json:"offboarding,omitempty"`
	Override    []string `json:"override,omitempty"`
}

type actor struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// result is as much of the answer as is looked at. Keys have an outcome if there was an action.
type result struct {
	Keys []struct {
		Outcome string `json:"outcome"`
		Active  bool   `json:"active"`
	} `json:"keys"`
	Warnings []struct {
		Message string `json:"message"`
	} `json:"warnings"`
}

// ask invokes the function and returns how long that took. Anything but all keys of the user changed, and active or
// inactive as is to be expected, is an error.
func (f *function) ask(req request, outcome string, active bool) (time.Duration, error) {
	req.Actor = actor{Kind: "system", Name: "bench"}
	got, took, err := invoke[result](f, req)
	if err != nil {
		return 0, err
	}
	right := len(got.Keys) == ionostest.MaxKeys && len(got.Warnings) == 0
	for _, k := range got.Keys {
		right = right && k.Outcome == outcome && k.Active == active
	}
	if !right {
		return 0, fmt.Errorf("%s did not do with %s what it should: %+v", f.name, req.User, got)
	}
	return took, nil
}
