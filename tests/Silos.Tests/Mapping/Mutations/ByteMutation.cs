namespace EmrMarket.Silos.Tests.Mapping.Mutations;

/// <summary>Bytes that became others: changed, turned, cut out, doubled, cut off, and with tokens put in or over.</summary>
internal static class ByteMutation
{
    /// <summary>A mutation.</summary>
    /// <param name="random">What decides.</param>
    /// <param name="source">The bytes.</param>
    /// <param name="tokens">What means something in their format.</param>
    /// <param name="most">The most changes.</param>
    public static byte[] Of(Random random, byte[] source, byte[][] tokens, int most)
    {
        List<byte> bytes = [.. source];
        for (int count = random.Next(1, most + 1); count > 0 && bytes.Count > 0; count--)
        {
            int at = random.Next(bytes.Count);
            byte[] token = tokens[random.Next(tokens.Length)];
            switch (random.Next(7))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 40), bytes.Count - at));
                    break;
                case 3:
                    bytes.InsertRange(at, bytes.GetRange(at, Math.Min(random.Next(1, 200), bytes.Count - at)));
                    break;
                case 4:
                    bytes.InsertRange(at, token);
                    break;
                case 5 when random.Next(4) == 0:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                default:
                    bytes.RemoveRange(at, Math.Min(token.Length, bytes.Count - at));
                    bytes.InsertRange(at, token);
                    break;
            }
        }

        return [.. bytes];
    }
}
