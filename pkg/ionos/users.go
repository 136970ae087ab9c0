package ionos

import (
	"context"
	"errors"
	"strings"

	ionoscloud "github.com/ionos-cloud/sdk-go/v6"

	"keyreeve/pkg/guard"
)

// FindUser returns the user with that e-mail address, which is compared without regard to case, or that UUID.
// The error is of kind [guard.NotFound] if there is none, and of kind [guard.Invalid] if several users have the
// address or ref is neither.
func (c *Client) FindUser(ctx context.Context, ref string) (guard.User, error) {
	switch {
	case guard.IsUUID(ref):
		return c.userByID(ctx, ref)
	case guard.IsEmail(ref):
		return c.userByEmail(ctx, ref)
	default:
		return guard.User{}, &guard.Error{Kind: guard.Invalid, Message: "A user is named by an e-mail address or a UUID."}
	}
}

func (c *Client) userByID(ctx context.Context, id string) (guard.User, error) {
	op := operation{does: "find user " + id, missing: "user " + id}
	payload, err := c.call(ctx, op, func(ctx context.Context) (*ionoscloud.APIResponse, error) {
		_, resp, err := c.api.UserManagementApi.UmUsersFindById(ctx, id).Execute()
		return resp, err
	})
	if err != nil {
		return guard.User{}, err
	}
	var entity userEntity
	if err := decode(op, payload, &entity); err != nil {
		return guard.User{}, err
	}
	user, err := entity.user(op)
	if err != nil {
		return guard.User{}, err
	}
	// Exemptions go by e-mail address: without it, an exempt user would not be known as one.
	if !strings.EqualFold(user.ID, id) || user.Email == "" {
		return guard.User{}, unreadable(op, errors.New("another user, or one without an e-mail address"))
	}
	return user, nil
}

// userByEmail asks for the address first, which takes one call, and looks through all users where that finds
// nobody: how exactly IONOS compares is not known.
func (c *Client) userByEmail(ctx context.Context, email string) (guard.User, error) {
	for _, filter := range []string{email, ""} {
		found, err := c.usersWithEmail(ctx, email, filter)
		switch {
		case err != nil:
			return guard.User{}, err
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return guard.User{}, &guard.Error{
				Kind:    guard.Invalid,
				Message: "Several IONOS users have the e-mail address " + email + ".",
				Remedy:  "Name the user by UUID instead.",
			}
		}
	}
	return guard.User{}, &guard.Error{
		Kind:    guard.NotFound,
		Message: "IONOS knows no user " + email + ".",
		Remedy:  "Check that it is spelled correctly and belongs to this contract.",
	}
}

// usersWithEmail returns those of all users, or of those that the filter leaves, who have the address.
func (c *Client) usersWithEmail(ctx context.Context, email, filter string) ([]guard.User, error) {
	var found []guard.User
	err := c.eachUser(ctx, filter, func(user guard.User) error {
		if strings.EqualFold(user.Email, email) {
			found = append(found, user)
		}
		return nil
	})
	return found, err
}

// ListUsers returns all users of the contract, in the order in which IONOS lists them. Each has an e-mail address.
func (c *Client) ListUsers(ctx context.Context) ([]guard.User, error) {
	var all []guard.User
	err := c.eachUser(ctx, "", func(user guard.User) error {
		if user.Email == "" {
			return errors.New("a user without an e-mail address")
		}
		all = append(all, user)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// eachUser goes through all pages of users, or of those that the filter leaves, and shows each user once. What show
// finds wrong with a user makes the answer unreadable.
func (c *Client) eachUser(ctx context.Context, filter string, show func(guard.User) error) error {
	op := operation{does: "list the users of the contract"}
	seen := make(map[string]bool)
	for offset := 0; ; {
		page, err := c.askForUsers(ctx, op, offset, usersDepth, filter)
		if err != nil {
			return err
		}
		before := len(seen)
		for _, entity := range page.Items {
			user, err := entity.user(op)
			if err != nil {
				return err
			}
			if seen[user.ID] {
				continue
			}
			seen[user.ID] = true
			if err := show(user); err != nil {
				return unreadable(op, err)
			}
		}
		next := page.next(offset)
		switch {
		case next == 0:
			return nil
		case len(seen) == before:
			// What the other pages hold cannot be known, and "no such user" might be wrong.
			return unreadable(op, errors.New("the same page of users again"))
		}
		offset = next
	}
}

// Administers reports whether the user is an administrator of the contract or its owner. Where Keyreeve's
// credentials reach several contracts and none is chosen, and the user owns one of them, the error is of kind
// [guard.Credentials].
func (c *Client) Administers(ctx context.Context, user guard.User) (bool, error) {
	if user.Administrator {
		return true, nil
	}
	owners, err := c.owners(ctx)
	if err != nil {
		return false, err
	}
	owned := 0
	for _, owner := range owners {
		if strings.EqualFold(owner, user.Email) {
			owned++
		}
	}
	if owned > 0 && owned < len(owners) {
		return false, &guard.Error{
			Kind:    guard.Credentials,
			Message: "Keyreeve's credentials reach several contracts, and " + user.Email + " does not own all of them.",
			Remedy:  "Set IONOS_CONTRACT_NUMBER to the contract that Keyreeve is for.",
		}
	}
	return owned > 0, nil
}

// owners returns the e-mail addresses of the owners of the configured contract, or of all if none is configured.
func (c *Client) owners(ctx context.Context) ([]string, error) {
	op := operation{does: "read the contract"}
	payload, err := c.call(ctx, op, func(ctx context.Context) (*ionoscloud.APIResponse, error) {
		_, resp, err := c.api.ContractResourcesApi.ContractsGet(ctx).Execute()
		return resp, err
	})
	if err != nil {
		return nil, err
	}
	var list contractList
	if err := decode(op, payload, &list); err != nil {
		return nil, err
	}
	var owners []string
	for _, contract := range list.Items {
		if c.contract != 0 && contract.Properties.ContractNumber != c.contract {
			continue
		}
		if contract.Properties.Owner == "" {
			return nil, unreadable(op, errors.New("a contract without an owner"))
		}
		owners = append(owners, contract.Properties.Owner)
	}
	if len(owners) == 0 {
		return nil, unreadable(op, errors.New("not one contract, or not the configured one"))
	}
	return owners, nil
}
