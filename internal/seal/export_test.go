package seal

// MakeIdentity is for the test that it leaves an identity alone: through Seal,
// that could be seen only by winning a race.
var MakeIdentity = makeIdentity
