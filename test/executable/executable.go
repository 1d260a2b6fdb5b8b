// Package executable writes programs that a test runs at once.
package executable

import (
	"os"
	"syscall"
)

// Write writes a program, or replaces one in place, and lets everybody run it.
//
// While a file is open for writing, the kernel runs it for nobody (ETXTBSY; a shell says "Text
// file busy" and exits with 126). A test beside this one that starts a process meanwhile would
// hand it the open file, which is closed there only when that process has begun its program.
// See https://go.dev/issue/22315.
func Write(path, text string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(text), 0o755)
}
