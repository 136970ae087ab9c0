// Program local runs the whole of template.yaml on one machine: the real function binaries behind a Lambda Runtime
// API, the HTTP API, the event bus and the queues, in one process and in memory. It stands where AWS does in a
// deployment, and unless credentials are given it brings a fake IONOS contract to work on.
//
//	go run ./pkg/local
//
// GET /_functions/Deactivate lists the processes of a function and what they have in hand, to watch one or to kill it.
// GET /_idle answers when nothing is under way. GET /_slack shows the messages of a workspace in Slack that it brings
// to its fake contract, POST /_slack lets somebody there type a command ({"user":"U0BOB","text":"help"}) or press a
// button ({"user":"U0OPERATOR","press":"approve"}). An event that POST /_events sends with a source such as
// aws.partner/okta.com/example/keyreeve is on that partner's bus. No schedule fires: POST /_invoke/Sweep starts a sweep.
// Of AWS itself there are PutEvents, SendMessage and StartMessageMoveTask of SQS, and the objects of the template's
// buckets in S3, at paths such as /keyreeve-reportbucket/sweeps/…, which a browser may open, too.
//
// It reads the template, so what it runs is what gets deployed; whatever in there it cannot do stops it at start,
// by name and line. It shares no code with the functions, so that a wrong field name on either side shows.
//
// Besides PORT, LOCAL_RETRY (how soon a failed message is delivered again, 1s; one whose process died waits longer),
// LOCAL_WINDOW (how long messages are gathered for a batch at most, 200ms) and LOCAL_LATENCY (of every call to the fake
// IONOS API), it reads the IONOS_* variables and KEYREEVE_OBJECT_STORAGE_ENDPOINT, which name a real contract to work on
// and where its buckets are, and the KEYREEVE_* variables, which override what the template says, and on the fake contract
// the senders' secrets, which everybody knows. With the secrets of an app in Slack it talks to the real one. Its ledger is
// a file, or with KEYREEVE_LEDGER=dynamodb:TABLE a table of the emulator at AWS_ENDPOINT_URL_DYNAMODB. Its objects are
// files, too; those of a real contract stay in .keyreeve/objects.
package main
