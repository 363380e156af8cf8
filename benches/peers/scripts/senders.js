const known = new Set();

function configure(list) {
  for (const address of list) known.add(address);
}

function judge(message) {
  return known.has(message.sender.address) ? "pass" : "reject";
}
