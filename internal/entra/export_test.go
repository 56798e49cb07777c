package entra

// OnlyLoopback is what dialling localhost is checked with.
var OnlyLoopback = onlyLoopback
