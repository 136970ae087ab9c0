// Package proof holds no code of Keyreeve, only the tests that show that its guard holds when everything happens at
// once or goes wrong: requests that race each other and a person in the console, processes that die, leases that
// expire, readings that lag, calls that fail in every way a network knows.
//
// They join the real parts, from the trigger to the wire, and run them in a bubble of testing/synctest: time is
// simulated, so that every timeout of the code is kept and nobody waits for it.
package proof
