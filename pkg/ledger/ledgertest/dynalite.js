// Serves an empty DynamoDB from memory, prints its address, and ends with its standard input, so with whoever started it.
const dynalite = require('dynalite')

const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 })
server.listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + server.address().port))
process.stdin.resume().on('end', () => process.exit())
