local known = {}

function configure(list)
    for _, address in ipairs(list) do
        known[address] = true
    end
end

function judge(message)
    return known[message.sender.address] and "pass" or "reject"
end
