// Package batch turns rows of data and a template into messages in the outbox:
// mail merge. Options become a Plan, and a batch goes so:
//
//  1. Check: every row is filled in and checked, and every problem listed with
//     its row, before the first message is taken.
//  2. Forecast: how many messages and recipients, and how long Exchange's limits
//     will make it.
//  3. Add: every row becomes a message in the outbox, named by the batch's name
//     and the row's key, so that a row is one message however often this is run.
//  4. The courier submits what is due; Account and Report read from the outbox
//     the outcome of every row.
//
// Run does 3 and 4 at the same time, tells what happens as Events, and ends with
// the account and why rows were not accepted.
//
// Memory does not grow with the number of rows.
package batch
