// Package ionostest is a fake of what Keyreeve uses of IONOS: the user management of Cloud API v6, and the
// listing of buckets in the user-owned regions of Object Storage. Both are plain [net/http] handlers.
//
// It stands where the real API does, behind pkg/ionos and pkg/buckets, in the tests of every package that
// reaches IONOS and in pkg/local. It shares no code with the clients it is there to test, and writes the wire
// formats from structs of its own, so that a wrong member name in a client fails a test.
//
// The zero [Server] is an empty contract that accepts any credentials. Users, keys and buckets are seeded with
// methods; what the API might do differently, and what can go wrong with it, are fields:
//
//	api := &ionostest.Server{
//		Lag:   1, // a write shows in the second read after it
//		Fault: ionostest.Nth(2, ionostest.On(http.MethodPut, ionostest.Applied(ionostest.Reset()))),
//	}
//	alice := api.AddUser(ionostest.User{Email: "alice@example.com"})
//	key := api.AddKey(alice.ID, ionostest.Key{Active: true})
//	srv := httptest.NewServer(api)        // Cloud API: srv.URL + "/cloudapi/v6"
//	s3 := httptest.NewServer(api.S3())    // Object Storage: any of the user-owned regions
//
// It is strict where the real API is known to be, and where that is not known it does what is harder for a
// client. Groups and owned resources are heads without items, and a key's createdBy and lastModifiedBy always name
// its user. What it does not know at all it answers with 501.
package ionostest
