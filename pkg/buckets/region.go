package buckets

// region is a region of Object Storage: what its requests are signed for, and its address without a slash at the end.
type region struct{ name, endpoint string }

// userOwned returns the regions in which buckets belong to users. In all others they belong to the contract, and
// a list says nothing about one user.
func userOwned() []region {
	return []region{
		{"de", "https://s3.eu-central-1.ionoscloud.com"},
		{"eu-central-2", "https://s3.eu-central-2.ionoscloud.com"},
		{"eu-south-2", "https://s3.eu-south-2.ionoscloud.com"},
	}
}
