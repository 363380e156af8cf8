const patterns = [];

function configure(list) {
  for (const pattern of list) patterns.push(pattern.toLowerCase());
}

function judge(message) {
  const text = message.text.toLowerCase();
  for (const pattern of patterns) {
    if (text.includes(pattern)) return "pass";
  }
  return "observe";
}
