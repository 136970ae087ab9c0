package proof_test

// What comes of the first delivery of a request, one table for all actions and one for what each has of its own: a row
// is a step that goes wrong, a column how. The codes are those of [trial.codeOf], what senders see of them stands in
// [answers]. A dash is a step that the action does not take, a dot a fault that the step cannot have.
//
// The tables say what happens where the step goes wrong in every attempt of the first delivery (lasting) or in the first
// attempt only (once). The actor and the contract are read for HTTP calls alone. To switch back, somebody must have switched
// off the user's other key meanwhile; to give back, the write must have been refused. Either is done or as with
// cut+: the SDK tries again after a timeout in the middle of a body or does not, depending on which of two timers is faster.
const (
	everyTable = `
lasting      hang    hang+   reset   reset+  429     429s    500     502     503     504     cut+    garbage slow+   401     lag
find-user    up      up      up      up      thr     thr     up      up      up      up      up      up      up      cred    .
find-actor   up      up      up      up      thr     thr     up      up      up      up      up      up      up      cred    .
contract     up      up      up      up      thr     thr     up      up      up      up      up      up      up      cred    .
list-keys    up      up      up      up      thr     thr     up      up      up      up      up      up      up      cred    .

once         hang    hang+   reset   reset+  429     429s    500     502     503     504     cut+    garbage slow+   401     lag
find-user    done    done    done    done    done    done    done    done    done    done    done    up      done    cred    .
find-actor   done    done    done    done    done    done    done    done    done    done    done    up      done    cred    .
contract     done    done    done    done    done    done    done    done    done    done    done    up      done    cred    .
list-keys    done    done    done    done    done    done    done    done    done    done    done    up      done    cred    .

lasting      hang    hang+   reset   reset+  busy    500     503     cut+    garbage slow+   expired denied
acquire      una     una     una     una     una     una     una     una     una     una     una     una
recall       una     una     una     una     una     una     una     una     una     una     una     una
reserve      una     una     una     una     una     una     una     una     una     una     una     una
attempt      una     una     una     una     una     una     una     una     una     una     una     una
record       una+    una+    una+    una+    una+    una+    una+    una+    una+    una+    una+    una+
give-back    fail    fail    fail    fail    fail    fail    fail    fail    fail    fail    fail    fail
announce     quiet   quiet   quiet   quiet   quiet   quiet   quiet   quiet   quiet   quiet   quiet   quiet
release      done!   done    done!   done    done!   done!   done!   done    done!   done    done!   done!

once         hang    hang+   reset   reset+  busy    500     503     cut+    garbage slow+   expired denied
acquire      done    done    done    done    done    done    done    una     una     either  una     una
recall       done    done    done    done    done    done    done    una     una     either  una     una
reserve      done    done    done    done    done    done    done    una     una     either  una     una
attempt      done    done    done    done    done    done    done    una     una     either  una     una
record       done    done    done    done    done    done    done    una+    una+    either  una+    una+
give-back    fail    fail    fail    fail    fail    fail    fail    fail    fail    fail    fail    fail
announce     done    done    done    done    done    done    done    quiet   quiet   either  quiet   quiet
release      done    done    done    done    done    done    done    done    done!   done    done!   done!
`

	deactivateTable = `
lasting      hang    hang+   reset   reset+  429     429s    500     502     503     504     cut+    garbage slow+   401     lag
switch       fail    fail+   fail    fail+   fail    fail    fail    fail    fail    fail    fail+   fail    fail+   fail    fail
second-look  fail    fail    fail    fail    fail    fail    fail    fail    fail    fail    fail    fail    fail    fail    .
switch-back  fail+   fail    fail+   fail    fail+   fail+   fail+   fail+   fail+   fail+   fail    fail+   fail    fail+   fail
secrets      -
buckets      -

once         hang    hang+   reset   reset+  429     429s    500     502     503     504     cut+    garbage slow+   401     lag
switch       done    done    done    done    done    done    done    done    done    done    done    fail    done    fail    done
second-look  done    done    done    done    done    done    done    done    done    done    done    fail    done    fail    .
switch-back  ref     ref     ref     ref     ref     ref     ref     ref     ref     ref     ref     fail+   ref     fail+   ref
`

	offboardingTable = `
lasting      hang    hang+   reset   reset+  429     429s    500     502     503     504     cut+    garbage slow+   401     lag
switch       fail    fail+   fail    fail+   fail    fail    fail    fail    fail    fail    fail+   fail    fail+   fail    done
second-look  -
switch-back  -
secrets      done    done    done    done    done    done    done    done    done    done    done    done    done    done    .
buckets      done    done    done    done    done    done    done    done    done    done    done    done    done    done    .

once         hang    hang+   reset   reset+  429     429s    500     502     503     504     cut+    garbage slow+   401     lag
switch       done    done    done    done    done    done    done    done    done    done    done    fail~   done    fail~   done
secrets      done    done    done    done    done    done    done    done    done    done    done    done    done    done    .
buckets      done    done    done    done    done    done    done    done    done    done    done    done    done    done    .
`

	activateTable = `
lasting      hang    hang+   reset   reset+  429     429s    500     502     503     504     cut+    garbage slow+   401     lag
switch       fail    fail+   fail    fail+   fail    fail    fail    fail    fail    fail    fail+   fail    fail+   fail    done
second-look  -
switch-back  -
secrets      -
buckets      -

once         hang    hang+   reset   reset+  429     429s    500     502     503     504     cut+    garbage slow+   401     lag
switch       done    done    done    done    done    done    done    done    done    done    done    fail    done    fail    done
`

	deleteTable = `
lasting      hang    hang+   reset   reset+  429     429s    500     502     503     504     cut+    garbage slow+   401     lag
delete       fail    fail+   fail    fail+   fail    fail    fail    fail    fail    fail    fail+   fail    done    fail    done
second-look  -
switch-back  -
secrets      -
buckets      -

once         hang    hang+   reset   reset+  429     429s    500     502     503     504     cut+    garbage slow+   401     lag
delete       done    done    done    done    done    done    done    done    done    done    done    fail    done    fail    done
`
)
