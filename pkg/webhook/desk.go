package webhook

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"keyreeve/pkg/guard"
)

// Desk finds out who is meant by orders, and puts them on the bus.
type Desk struct {
	Bus    Bus
	People People
	Logger *slog.Logger
}

// mapPatience bounds the question who is meant, for all orders of a message together. Who cannot be found in time is
// whom the sender says, or is looked for again later.
const mapPatience = 500 * time.Millisecond

// take puts the orders on the bus: as requests, or as unmapped ones where nobody knows who is meant. It reports whether
// there are none of these. An error means that the bus did not take all.
func (d *Desk) take(ctx context.Context, sender string, orders []order) (mapped bool, err error) {
	known, unknown := d.sort(ctx, orders)
	// What waits does not wait for the rest: a sender that tries again does so once, if at all.
	if err := errors.Join(d.Bus.Publish(ctx, known...), d.Bus.PublishUnmapped(ctx, unknown...)); err != nil {
		return false, err
	}
	d.Logger.LogAttrs(ctx, slog.LevelInfo, "A message was accepted.", slog.String("sender", sender),
		slog.Any("ids", ids(orders)), slog.Int("requests", len(known)), slog.Int("unmapped", len(unknown)))
	d.announce(ctx, unknown)
	return len(unknown) == 0, nil
}

// ignore tells of a message that asks for nothing.
func (d *Desk) ignore(ctx context.Context, sender string) {
	d.Logger.LogAttrs(ctx, slog.LevelDebug, "A message asked for nothing.", slog.String("sender", sender))
}

// sort parts the orders whose user is known from the others.
func (d *Desk) sort(ctx context.Context, orders []order) (known []guard.Request, unknown []guard.Unmapped) {
	ctx, cancel := context.WithTimeout(ctx, mapPatience)
	defer cancel()
	var problem error
	for _, o := range orders {
		email, err := d.whoIs(ctx, o.request.Source, o.people)
		if err != nil {
			problem = err
		}
		if email != "" {
			o.request.User = email
		}
		if o.request.User == "" {
			unknown = append(unknown, guard.Unmapped{Sender: o.request.Source, People: o.people, Request: o.request})
			continue
		}
		known = append(known, o.request)
	}
	if problem != nil {
		d.Logger.LogAttrs(ctx, slog.LevelError, "The identity map could not be read.", slog.Any("error", problem))
	}
	return known, unknown
}

// whoIs returns the address that the identity map has for one of the names, and none where it has none. An error means
// that it might have had one.
func (d *Desk) whoIs(ctx context.Context, sender string, people []string) (string, error) {
	var problem error
	for _, name := range people {
		email, known, err := d.People.Email(ctx, sender, name)
		if known {
			return email, nil
		}
		if err != nil {
			problem = err
		}
	}
	return "", problem
}

// announce makes it seen that nobody knows who left. The requests themselves wait in a queue.
func (d *Desk) announce(ctx context.Context, unknown []guard.Unmapped) {
	const atATime = 10
	var group errgroup.Group
	group.SetLimit(atATime)
	for _, u := range unknown {
		group.Go(func() error {
			d.tell(ctx, u.Request, guard.UnmappedUser, "Nobody knows the e-mail address of "+whom(u)+
				", so no access key was switched off. Add it to KEYREEVE_IDENTITY_MAP; the request waits.")
			return nil
		})
	}
	_ = group.Wait() // each has told its error
}

// repeat makes it seen that orders came again which may be new: their message holds no time.
func (d *Desk) repeat(ctx context.Context, orders []order) {
	for _, o := range orders {
		d.tell(ctx, o.request, guard.Repeated, o.request.Source+" said again, to the letter, that "+
			strings.Join(o.people, ", ")+" left. It was not carried out again: if they were back and left once more, let an operator deactivate their keys.")
	}
}

// tell announces what became of a request of which no key was changed.
func (d *Desk) tell(ctx context.Context, request guard.Request, code guard.WarningCode, message string) {
	err := d.Bus.Announce(ctx, request.Told(code, message))
	if err != nil {
		d.Logger.LogAttrs(ctx, slog.LevelError, "An outcome could not be announced.",
			slog.String("warning", message), slog.String("id", request.ID), slog.Any("error", err))
	}
}

// whom names a person as the identity map does.
func whom(u guard.Unmapped) string {
	if len(u.People) == 0 {
		return "somebody whom " + u.Sender + " does not name"
	}
	return u.Sender + ":" + strings.Join(u.People, " or "+u.Sender+":")
}

func ids(orders []order) []string {
	ids := make([]string, len(orders))
	for i, o := range orders {
		ids[i] = o.request.ID
	}
	return ids
}
