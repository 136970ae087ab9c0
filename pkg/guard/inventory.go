package guard

import "time"

// Inventory is what is known of one user's access keys. It never holds a secret.
type Inventory struct {
	User User `json:"user"`
	// OffboardedAt is when the user left; absent for everybody else.
	OffboardedAt time.Time      `json:"offboardedAt,omitzero"`
	Keys         []InventoryKey `json:"keys"`
}

// InventoryKey is one access key.
type InventoryKey struct {
	ID      string    `json:"id"`
	Active  bool      `json:"active"`
	Created time.Time `json:"created,omitzero"`
	// Legacy keys open user-owned buckets only.
	Legacy bool `json:"legacy"`
	// InactiveSince is the start of the grace period; absent for active keys and where nobody knows.
	InactiveSince time.Time `json:"inactiveSince,omitzero"`
	// LastChange is the last switch that Keyreeve made or saw.
	LastChange *Change `json:"lastChange,omitempty"`
	// Allowed are the actions that the guard would let the asker take on this key alone, without an override.
	Allowed []Action `json:"allowed"`
}
