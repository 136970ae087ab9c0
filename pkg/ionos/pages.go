package ionos

import (
	"context"
	"errors"
	"fmt"
	"slices"

	ionoscloud "github.com/ionos-cloud/sdk-go/v6"
	"golang.org/x/sync/errgroup"

	"keyreeve/pkg/guard"
)

const (
	// pageSize is the greatest number of users that IONOS lists at once.
	pageSize = 100
	// maxUsers is far more than a contract has: whoever goes on listing them will never come to an end.
	maxUsers = 50_000
	// usersDepth has users listed with their properties, keysDepth with those of their access keys as well.
	usersDepth, keysDepth = 1, 3
	// readersAtOnce is how many users' keys a page of users asks for at the same time.
	readersAtOnce = 8
)

// UserPage is a part of the contract's users.
type UserPage struct {
	// Users are in the order in which IONOS lists them. Each has an e-mail address.
	Users []guard.UserKeys
	// Next is the offset of the next page, greater than that of this one; 0 where this is the last one.
	Next int
}

// UserPage returns one page of the contract's users with all their keys: the first one at offset 0, each other one at
// the Next of the one before. It asks IONOS for all of them in one call, and for the keys of those users whose entry
// in the answer lacks them in one call each. It returns no page of which a part could not be read.
//
// No page knows of any other. A user whom IONOS moves from one page to another in the meantime, because somebody was
// added or removed, may be on both or on none.
func (c *Client) UserPage(ctx context.Context, offset int) (UserPage, error) {
	op := operation{does: "list the users of the contract with their access keys", pace: &c.wholesale}
	list, err := c.askForUsers(ctx, op, offset, keysDepth, "")
	if err != nil {
		return UserPage{}, err
	}
	if list.Offset != nil && *list.Offset != offset {
		return UserPage{}, unreadable(op, errors.New("another page of users than the one that was asked for"))
	}
	users, err := list.withKeys(op)
	if err != nil {
		return UserPage{}, err
	}
	if err := c.addKeys(ctx, users); err != nil {
		return UserPage{}, err
	}
	return UserPage{Users: slices.DeleteFunc(users, keysUnknown), Next: list.next(offset)}, nil
}

// keysUnknown tells a user whose keys were not read from one who has none.
func keysUnknown(user guard.UserKeys) bool { return user.Keys == nil }

// withKeys returns the users of the page. The keys of those whose entry lacks them, or anything of them, are unknown.
func (l userList) withKeys(op operation) ([]guard.UserKeys, error) {
	users := make([]guard.UserKeys, 0, len(l.Items))
	seen := make(map[string]bool)
	for _, entity := range l.Items {
		user, err := entity.user(op)
		if err != nil {
			return nil, err
		}
		if user.Email == "" || seen[user.ID] {
			return nil, unreadable(op, errors.New("a user without an e-mail address, or the same user twice"))
		}
		seen[user.ID] = true
		var keys []guard.Key
		if nested := entity.Entities.S3Keys; nested.whole() {
			if keys, err = nested.keys(op); err != nil {
				return nil, err
			}
		}
		users = append(users, guard.UserKeys{User: user, Keys: keys})
	}
	return users, nil
}

// addKeys lists the keys of those users whose keys are unknown. They stay so for users who are gone by now.
func (c *Client) addKeys(ctx context.Context, users []guard.UserKeys) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readersAtOnce)
	for i := range users {
		if !keysUnknown(users[i]) {
			continue
		}
		group.Go(func() error {
			op := listing(users[i].User.ID)
			op.pace = &c.wholesale
			keys, err := c.listKeys(ctx, op, users[i].User.ID)
			if guard.KindOf(err) == guard.NotFound {
				return nil
			}
			users[i].Keys = keys
			return err
		})
	}
	return group.Wait()
}

// askForUsers returns the page of users at the offset: of all, or of those who have the e-mail address, as far as IONOS
// can tell.
func (c *Client) askForUsers(ctx context.Context, op operation, offset int, depth int32, email string) (userList, error) {
	if offset < 0 || offset > maxUsers {
		return userList{}, unreadable(op, fmt.Errorf("a page at offset %d, outside of %d users", offset, maxUsers))
	}
	first := int32(offset)
	payload, err := c.call(ctx, op, func(ctx context.Context) (*ionoscloud.APIResponse, error) {
		request := c.api.UserManagementApi.UmUsersGet(ctx).Limit(pageSize).Offset(first).Depth(depth)
		if email != "" {
			request = request.Filter("email", email)
		}
		_, resp, err := request.Execute()
		return resp, err
	})
	if err != nil {
		return userList{}, err
	}
	var page userList
	if err := decode(op, payload, &page); err != nil {
		return userList{}, err
	}
	if page.Items == nil {
		return userList{}, unreadable(op, errors.New("no items in the list of users"))
	}
	return page, nil
}

// next returns the offset of the page after this one, which begins at the offset; 0 where this is the last one. A full
// page need not link to the next.
func (l userList) next(offset int) int {
	if len(l.Items) == 0 || len(l.Items) != pageSize && l.Links.Next == "" {
		return 0
	}
	return offset + len(l.Items)
}
