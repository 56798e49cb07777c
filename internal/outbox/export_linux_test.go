package outbox

// Judge names a file system by its magic number.
func Judge(magic int64) (string, int) {
	kind, level := judge(magic)
	return kind, int(level)
}
