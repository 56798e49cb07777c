package ownfile

// Judge is what a file's rights are looked at with.
var Judge = judge
