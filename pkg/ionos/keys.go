package ionos

import (
	"cmp"
	"context"

	ionoscloud "github.com/ionos-cloud/sdk-go/v6"

	"keyreeve/pkg/guard"
)

// ListKeys returns the user's access keys, in the order in which IONOS lists them.
func (c *Client) ListKeys(ctx context.Context, userID string) ([]guard.Key, error) {
	all, err := c.keys(ctx, userID)
	if err != nil {
		return nil, err
	}
	keys := make([]guard.Key, len(all))
	for i := range all {
		keys[i] = all[i].Key
	}
	return keys, nil
}

// KeysWithSecrets returns those of the user's access keys whose secret IONOS gave, active or not. It is there to
// list that user's buckets and for nothing else.
func (c *Client) KeysWithSecrets(ctx context.Context, userID string) ([]guard.Credential, error) {
	all, err := c.keys(ctx, userID)
	if err != nil {
		return nil, err
	}
	known := make([]guard.Credential, 0, len(all))
	for _, credential := range all {
		if credential.Secret.Reveal() != "" {
			known = append(known, credential)
		}
	}
	return known, nil
}

func (c *Client) keys(ctx context.Context, userID string) ([]guard.Credential, error) {
	if err := pathSafe("a user", userID); err != nil {
		return nil, err
	}
	op := operation{does: "list the access keys of user " + userID, missing: "user " + userID}
	payload, err := c.call(ctx, op, func(ctx context.Context) (*ionoscloud.APIResponse, error) {
		_, resp, err := c.api.UserS3KeysApi.UmUsersS3keysGet(ctx, userID).Execute()
		return resp, err
	})
	if err != nil {
		return nil, err
	}
	return credentials(op, payload)
}

// SwitchKey switches the access key on or off. Any status of 2xx means that IONOS accepted the change, which it
// may carry out a moment later, so that a list of keys need not show it at once. But if the answer itself shows
// the key in its old state or is not IONOS's, that is an error of kind [guard.Upstream].
func (c *Client) SwitchKey(ctx context.Context, userID, keyID string, active bool) error {
	verb, opposite := "deactivate", "active"
	if active {
		verb, opposite = "activate", "inactive"
	}
	op, err := keyOperation(verb, userID, keyID)
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
	op, err := keyOperation("delete", userID, keyID)
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

// keyOperation describes a change of the access key, or refuses ids that are none.
func keyOperation(verb, userID, keyID string) (operation, error) {
	if err := cmp.Or(pathSafe("a user", userID), pathSafe("an access key", keyID)); err != nil {
		return operation{}, err
	}
	key := "access key " + keyID + " of user " + userID
	return operation{does: verb + " " + key, missing: key, write: true}, nil
}
