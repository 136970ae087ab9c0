package lifecycle

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"keyreeve/pkg/guard"
)

// Reader reads everything that a judgement rests on. It is the part of a lifecycle that changes nothing.
type Reader struct {
	Users  Users
	Keys   Keys
	Ledger Ledger
	Policy guard.Policy
	// Self is whose credentials Keyreeve uses.
	Self  guard.Identity
	Clock func() time.Time
}

// who finds the user that the request is about and, at the same time, whether its actor administers the contract.
func (r Reader) who(ctx context.Context, req guard.Request) (user guard.User, administers bool, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		user, err = r.Users.FindUser(ctx, req.User)
		return err
	})
	group.Go(func() (err error) {
		administers, err = r.administers(ctx, req.Actor)
		return err
	})
	err = group.Wait()
	return user, administers, err
}

// administers reports whether the actor stands above other users: by policy, or as IONOS says. An actor without an
// e-mail or without an IONOS user does not.
func (r Reader) administers(ctx context.Context, actor guard.Actor) (bool, error) {
	if r.Policy.Trusts(actor) {
		return true, nil
	}
	if !actor.Person() || actor.Email == "" {
		return false, nil
	}
	user, err := r.Users.FindUser(ctx, actor.Email)
	if guard.KindOf(err) == guard.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return r.Users.Administers(ctx, user)
}

// read reads the user's keys and what the ledger knows of them, at the same time.
func (r Reader) read(ctx context.Context, user guard.User, administers bool) (guard.Reading, error) {
	reading := guard.Reading{User: user, Self: r.Self, ActorAdministers: administers}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		reading.Keys, err = r.Keys.ListKeys(ctx, user.ID)
		return err
	})
	group.Go(func() (err error) {
		reading.Memory, err = r.Ledger.Recall(ctx, user.ID)
		return err
	})
	err := group.Wait()
	slices.SortFunc(reading.Keys, func(a, b guard.Key) int { return a.Created.Compare(b.Created) })
	return reading, err
}
