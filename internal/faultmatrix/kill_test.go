package faultmatrix_test

const serverRole = "FAULTMATRIX_SERVER"

func serveUntilKilled() {}
