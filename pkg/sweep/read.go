package sweep

import (
	"context"
	"encoding/json"
	"slices"

	"golang.org/x/sync/errgroup"

	"keyreeve/pkg/guard"
)

// page is what a call of the contract brought.
type page struct {
	users []guard.UserKeys
	// next is the offset of the next page, 0 after the last one.
	next int
}

// read reads the contract from where the state is, and writes down in the plan what is due about each key.
func (s *Sweeper) read(ctx context.Context, st *state, plan *scratch) error {
	fetching, cancel := context.WithCancel(ctx)
	defer cancel()
	pages := make(chan page) // The next page is on its way while one is looked at.
	var fetcher errgroup.Group
	from := st.Offset
	fetcher.Go(func() error {
		defer close(pages)
		return s.fetch(fetching, from, pages)
	})
	if err := s.lookAtAll(ctx, st, pages, plan); err != nil {
		cancel()
		_ = fetcher.Wait() // it was told to stop
		return err
	}
	return fetcher.Wait()
}

// lookAtAll looks at all pages that come, also those before one that could not be had.
func (s *Sweeper) lookAtAll(ctx context.Context, st *state, pages <-chan page, plan *scratch) error {
	encoder := json.NewEncoder(plan)
	for p := range pages {
		users := without(p.users, st.Before)
		if len(users) == 0 && len(st.Before) > 0 && p.next > 0 {
			return errRepeated()
		}
		lines, err := s.look(ctx, st, users)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if err := encoder.Encode(l); err != nil {
				return noScratch(err)
			}
			st.tally(l)
		}
		st.Users += len(users)
		st.Before = ids(p.users)
		if st.Offset = p.next; p.next == 0 {
			st.Phase = reporting
		}
	}
	return nil
}

// fetch gets one page after the other.
func (s *Sweeper) fetch(ctx context.Context, offset int, pages chan<- page) error {
	for {
		users, next, err := s.Contract.UserPage(ctx, offset)
		if err != nil {
			return err
		}
		select {
		case pages <- page{users, next}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if next == 0 {
			return nil
		}
		offset = next
	}
}

// without returns the users who were not on the page before: where a user is added while the contract is read, the next
// page begins with somebody known.
func without(users []guard.UserKeys, before []string) []guard.UserKeys {
	return slices.DeleteFunc(slices.Clone(users), func(u guard.UserKeys) bool { return slices.Contains(before, u.User.ID) })
}

func ids(users []guard.UserKeys) []string {
	all := make([]string, len(users))
	for i, u := range users {
		all[i] = u.User.ID
	}
	return all
}

func errRepeated() error {
	return &guard.Error{
		Kind: guard.Upstream, Message: "IONOS listed the same users again where others should follow.",
		Remedy: "Try again later; if it stays so, check IONOS_API_URL.",
	}
}

// look says what is due about the keys of a page of users.
func (s *Sweeper) look(ctx context.Context, st *state, users []guard.UserKeys) ([]line, error) {
	var owners, aging []string
	j := judge{rules: s.Rules, policy: s.Policy, order: st.Order, begun: st.Policies, night: st.Night, now: s.Clock()}
	for _, u := range users {
		if len(u.Keys) == 0 {
			continue
		}
		owners = append(owners, u.User.ID)
		if j.mode(guard.MaxAge) != "" && slices.ContainsFunc(u.Keys, j.ages) {
			aging = append(aging, u.User.ID)
		}
	}
	memories, err := s.Ledger.RecallAll(ctx, owners)
	if err != nil {
		return nil, err
	}
	warnings, err := s.Ledger.WarningsOf(ctx, aging)
	if err != nil {
		return nil, err
	}
	var lines []line
	for _, u := range users {
		reading := guard.Reading{User: u.User, Keys: u.Keys, Memory: memories[u.User.ID], Self: s.Self}
		lines = append(lines, j.lines(reading, warnings[u.User.ID])...)
	}
	return lines, nil
}
