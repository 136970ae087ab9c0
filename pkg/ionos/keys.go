package ionos

import (
	"cmp"
	"context"

	ionoscloud "github.com/ionos-cloud/sdk-go/v6"

	"keyreeve/pkg/guard"
)

// ListKeys returns the user's access keys, in the order in which IONOS lists them.
func (c *Client) ListKeys(ctx context.Context, userID string) ([]guard.Key, error) {
	return c.listKeys(ctx, listing(userID), userID)
}

func (c *Client) listKeys(ctx context.Context, op operation, userID string) ([]guard.Key, error) {
	payload, err := c.askForKeys(ctx, op, userID)
	if err != nil {
		return nil, err
	}
	return readKeys(op, payload)
}

// KeysWithSecrets returns those of the user's access keys whose secret IONOS gave, active or not. It is there to
// list that user's buckets and for nothing else.
func (c *Client) KeysWithSecrets(ctx context.Context, userID string) ([]guard.Credential, error) {
	op := listing(userID)
	payload, err := c.askForKeys(ctx, op, userID)
	if err != nil {
		return nil, err
	}
	keys, err := readKeys(op, payload)
	if err != nil {
		return nil, err
	}
	var secrets secretList
	if err := decode(op, payload, &secrets); err != nil {
		return nil, err
	}
	known := make([]guard.Credential, 0, len(keys))
	for i, item := range secrets.Items {
		if secret := item.Properties.SecretKey; secret != "" {
			known = append(known, guard.Credential{Key: keys[i], Secret: guard.NewSecret(secret)})
		}
	}
	return known, nil
}

// listing describes a call that lists the user's access keys.
func listing(userID string) operation {
	return operation{does: "list the access keys of user " + userID, missing: "user " + userID}
}

// askForKeys returns the answer that lists the user's access keys. It holds their secrets.
func (c *Client) askForKeys(ctx context.Context, op operation, userID string) ([]byte, error) {
	if err := pathSafe("a user", userID); err != nil {
		return nil, err
	}
	return c.call(ctx, op, func(ctx context.Context) (*ionoscloud.APIResponse, error) {
		_, resp, err := c.api.UserS3KeysApi.UmUsersS3keysGet(ctx, userID).Execute()
		return resp, err
	})
}

// readKeys reads an answer that lists access keys.
func readKeys(op operation, payload []byte) ([]guard.Key, error) {
	var list keyList
	if err := decode(op, payload, &list); err != nil {
		return nil, err
	}
	return list.keys(op)
}

// SwitchKey switches the access key on or off. Any status of 2xx means that IONOS accepted the change, which it
// may carry out a moment later, so that a list of keys need not show it at once. But if the answer itself shows
// the key in its old state or is not IONOS's, that is an error of kind [guard.Upstream].
func (c *Client) SwitchKey(ctx context.Context, userID, keyID string, active bool) error {
	verb, opposite := "deactivate", "active"
	if active {
		verb, opposite = "activate", "inactive"
	}
	op, err := c.changing(verb, userID, keyID)
	if err != nil {
		return err
	}
	wanted := ionoscloud.S3Key{Properties: &ionoscloud.S3KeyProperties{Active: &active}}
	shown, err := c.change(ctx, op, func(ctx context.Context) (*ionoscloud.APIResponse, error) {
		_, resp, err := c.api.UserS3KeysApi.UmUsersS3keysPut(ctx, userID, keyID).S3Key(wanted).Execute()
		return resp, err
	})
	if err != nil {
		return err
	}
	if state := shown.Properties.Active; state != nil && *state != active {
		return &guard.Error{
			Kind:    guard.Upstream,
			Message: "IONOS accepted to " + verb + " access key " + keyID + ", but answered that the key is still " + opposite + ".",
			Remedy:  "Look at the key's state before you try again.",
		}
	}
	return nil
}

// DeleteKey deletes the access key. One that IONOS does not find is an error of kind [guard.NotFound]: it may be gone,
// also by this very call, whose first answer was lost; or something in between does not know the address.
func (c *Client) DeleteKey(ctx context.Context, userID, keyID string) error {
	op, err := c.changing("delete", userID, keyID)
	if err != nil {
		return err
	}
	_, err = c.change(ctx, op, func(ctx context.Context) (*ionoscloud.APIResponse, error) {
		return c.api.UserS3KeysApi.UmUsersS3keysDelete(ctx, userID, keyID).Execute()
	})
	return err
}

// change carries out a call that changes a key and returns what the answer shows of it, which may be nothing. An
// answer that is no JSON at all is some proxy's, and no proof that IONOS heard of the change.
func (c *Client) change(ctx context.Context, op operation, send execute) (keyEntity, error) {
	var shown keyEntity
	payload, err := c.call(ctx, op, send)
	if err != nil || len(payload) == 0 {
		return shown, err
	}
	return shown, decode(op, payload, &shown)
}

// changing describes a call that changes the access key, or refuses ids that are none.
func (c *Client) changing(verb, userID, keyID string) (operation, error) {
	if err := cmp.Or(pathSafe("a user", userID), pathSafe("an access key", keyID)); err != nil {
		return operation{}, err
	}
	key := "access key " + keyID + " of user " + userID
	return operation{does: verb + " " + key, missing: key, pace: &c.writes}, nil
}
