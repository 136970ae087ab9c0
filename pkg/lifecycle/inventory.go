package lifecycle

import (
	"context"

	"keyreeve/pkg/guard"
)

// Inventory shows the keys of a user, named by e-mail address or UUID, to the actor.
func (r Reader) Inventory(ctx context.Context, ref string, actor guard.Actor) (guard.Inventory, error) {
	user, administers, err := r.admit(ctx, ref, actor)
	if err != nil {
		return guard.Inventory{}, err
	}
	reading, err := r.read(ctx, user, administers)
	if err != nil {
		return guard.Inventory{}, err
	}
	reading.RecentChanges, err = r.Ledger.Reserve(ctx, 0, 0)
	if err != nil {
		return guard.Inventory{}, err
	}
	inventory := guard.Inventory{User: user, OffboardedAt: reading.Memory.OffboardedAt, Keys: make([]guard.InventoryKey, len(reading.Keys))}
	for i, k := range reading.Keys {
		inventory.Keys[i] = r.describe(k, reading, actor)
	}
	return inventory, nil
}

// Admit reports whether the actor may see and change the keys of a user, named by e-mail address or UUID: an error of kind
// [guard.Forbidden] says that they may not.
func (r Reader) Admit(ctx context.Context, ref string, actor guard.Actor) error {
	_, _, err := r.admit(ctx, ref, actor)
	return err
}

func (r Reader) admit(ctx context.Context, ref string, actor guard.Actor) (user guard.User, administers bool, err error) {
	user, administers, err = r.who(ctx, guard.Request{User: ref, Actor: actor})
	if err != nil || guard.Permitted(actor, user, administers) {
		return user, administers, err
	}
	return guard.User{}, false, &guard.Error{
		Kind:    guard.Forbidden,
		Message: actor.String() + " is neither the owner nor an administrator of the contract and may see their own keys only.",
		Remedy:  "Ask an administrator, or have the actor added to KEYREEVE_OPERATORS.",
	}
}

func (r Reader) describe(k guard.Key, reading guard.Reading, actor guard.Actor) guard.InventoryKey {
	last, known := reading.Memory.Changes[k.ID]
	described := guard.InventoryKey{
		ID: k.ID, Active: k.Active, Created: k.Created, Legacy: k.Legacy(),
		InactiveSince: guard.InactiveSince(k, last), Allowed: []guard.Action{},
	}
	if known {
		described.LastChange = &last
	}
	now := r.Clock()
	for _, action := range guard.Actions() {
		req := guard.Request{Action: action, Keys: []string{k.ID}, Confirm: []string{k.ID}, Actor: actor, OccurredAt: now}
		if guard.Judge(req, reading, r.Policy, now)[0].Allowed() {
			described.Allowed = append(described.Allowed, action)
		}
	}
	return described
}
