namespace EmrMarket.Contracts.Tests.Ethereum;

/// <summary>Random damage to bytes: flips, cuts, doublings, foreign words and swapped parts.</summary>
internal static class Mutation
{
    public static byte[] Of(byte[] honest, Random random)
    {
        byte[] bytes = [.. honest];
        for (int times = 1 + random.Next(3); times > 0 && bytes.Length > 0; times--)
        {
            int at = random.Next(bytes.Length);
            switch (random.Next(7))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes = bytes[..at];
                    break;
                case 3:
                    bytes = [.. bytes, .. bytes[at..]];
                    break;
                case 4:
                    int length = Math.Min(1 + random.Next(40), bytes.Length - at);
                    random.NextBytes(bytes.AsSpan(at, length));
                    break;
                case 5:
                    int other = random.Next(bytes.Length);
                    int count = Math.Min(1 + random.Next(64), bytes.Length - Math.Max(at, other));
                    bytes.AsSpan(at, count).ToArray().CopyTo(bytes.AsSpan(other));
                    break;
                default:
                    bytes = [.. bytes[..at], .. bytes[Math.Min(at + 1 + random.Next(32), bytes.Length)..]];
                    break;
            }
        }

        return bytes;
    }
}
