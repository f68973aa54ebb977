using System.Globalization;

namespace EmrMarket.Silos.Records.Mapping.Fhir.Paths;

/// <summary>A path that is not in the subset.</summary>
/// <param name="position">The character at which, from 1.</param>
/// <param name="message">What is wrong there.</param>
internal sealed class PathSyntaxException(int position, string message)
    : Exception(string.Create(CultureInfo.InvariantCulture, $"at character {position}: {message}"));

/// <summary>
/// Reads paths of the subset of FHIRPath (http://hl7.org/fhirpath/N1/) that docs/FHIR.md lists: by recursive descent, an operator's level a
/// method. What is not in the subset is refused, with its position.
/// </summary>
internal sealed class PathParser
{
    private const int MostCharacters = 4096, MostLevels = 32;
    private const string Functions =
        "where(), exists(), all(), empty(), not(), first(), last(), count(), ofType(), is(), as(), extension(), startsWith() and resolve()";

    private static readonly Dictionary<string, PathFunction> ByName = new(StringComparer.Ordinal)
    {
        ["where"] = PathFunction.Where, ["exists"] = PathFunction.Exists, ["all"] = PathFunction.All, ["empty"] = PathFunction.Empty,
        ["not"] = PathFunction.Not, ["first"] = PathFunction.First, ["last"] = PathFunction.Last, ["count"] = PathFunction.Count,
        ["ofType"] = PathFunction.OfType, ["is"] = PathFunction.Is, ["as"] = PathFunction.As, ["extension"] = PathFunction.Extension,
        ["startsWith"] = PathFunction.StartsWith, ["resolve"] = PathFunction.Resolve,
    };

    private readonly List<PathToken> _tokens;
    private int _at;
    private int _level;

    private PathParser(string text) => _tokens = PathLexer.Read(text);

    private PathToken Token => _tokens[_at];

    /// <summary>Reads a path.</summary>
    /// <exception cref="PathSyntaxException">It is not in the subset.</exception>
    public static PathNode Parse(string text)
    {
        if (text.Length > MostCharacters)
        {
            throw new PathSyntaxException(MostCharacters, $"a path has at most {MostCharacters} characters");
        }

        PathParser parser = new(text);
        PathNode path = parser.Or();
        return parser.Token.Kind == TokenKind.End ? path : throw parser.Unexpected("an operator, '.', or the end");
    }

    private PathNode Or() => Binary(And, ("or", PathOperator.Or), ("xor", PathOperator.Xor));

    private PathNode And() => Binary(Membership, ("and", PathOperator.And));

    private PathNode Membership() => Binary(Equality, ("in", PathOperator.In), ("contains", PathOperator.Contains));

    private PathNode Equality() => Binary(Order, ("=", PathOperator.Equal), ("!=", PathOperator.NotEqual));

    private PathNode Order() => Binary(
        Union, ("<", PathOperator.Less), ("<=", PathOperator.LessOrEqual), (">", PathOperator.Greater),
            (">=", PathOperator.GreaterOrEqual));

    private PathNode Union() => Binary(TypeTest, ("|", PathOperator.Union));

    private PathNode TypeTest()
    {
        PathNode node = Postfix();
        while (Token is { Kind: TokenKind.Name, Text: "is" or "as" })
        {
            PathFunction function = ByName[Token.Text];
            int position = Token.Position;
            _at++;
            node = TypeFunction(node, function, position);
        }

        return node;
    }

    private PathNode Postfix()
    {
        PathNode node = Term();
        while (true)
        {
            if (Take("."))
            {
                node = Step(node);
            }
            else if (Take("["))
            {
                PathToken number = Token;
                if (number.Kind != TokenKind.Number
                    || !int.TryParse(number.Text, NumberStyles.None, CultureInfo.InvariantCulture, out int index))
                {
                    throw Unexpected("a whole number");
                }

                _at++;
                Expect("]");
                node = new IndexNode(node, index);
            }
            else
            {
                return node;
            }
        }
    }

    private PathNode Term()
    {
        PathToken token = Token;
        switch (token.Kind)
        {
            case TokenKind.Text:
                _at++;
                return new LiteralNode(new PathItem(ItemKind.Text, Text: token.Text));
            case TokenKind.Number:
                _at++;
                return new LiteralNode(PathItem.Of(
                    decimal.Parse(token.Text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture)));
            case TokenKind.Date:
                _at++;
                return new LiteralNode(new PathItem(ItemKind.Date, Text: token.Text));
            case TokenKind.Name when token.Text is "true" or "false":
                _at++;
                return new LiteralNode(PathItem.Of(token.Text == "true"));
            case TokenKind.Symbol when token.Text == "(":
                _at++;
                PathNode inner = Deeper(Or);
                Expect(")");
                return inner;
            case TokenKind.Symbol when token.Text == "{":
                _at++;
                Expect("}");
                return new LiteralNode(null);
            case TokenKind.This:
                _at++;
                return new ThisNode();
            case TokenKind.Name or TokenKind.QuotedName:
                return Step(null);
            case TokenKind.Symbol when token.Text == "-":
                _at++;
                return Token.Kind == TokenKind.Number
                    ? new LiteralNode(PathItem.Of(-((LiteralNode)Term()).Value!.Value.Number))
                    : throw Unexpected("a number behind '-'; the subset does not calculate");
            default:
                throw Unexpected("a member, a function or a value");
        }
    }

    private PathNode Step(PathNode? before)
    {
        PathToken name = Token;
        if (name.Kind is not (TokenKind.Name or TokenKind.QuotedName))
        {
            throw Unexpected("a member or a function");
        }

        _at++;
        if (Token is { Kind: TokenKind.Symbol, Text: "(" } && name.Kind == TokenKind.Name)
        {
            _at++;
            return Function(before ?? new ThisNode(), name);
        }

        if (before is null && FhirTypes.Resources.Contains(name.Text))
        {
            return new TypeRootNode(name.Text);
        }

        return before is null ? new MemberNode(name.Text) : new ThenNode(before, new MemberNode(name.Text));
    }

    private PathNode Function(PathNode before, PathToken name)
    {
        if (!ByName.TryGetValue(name.Text, out PathFunction function))
        {
            throw new PathSyntaxException(name.Position, $"the function {name.Text}() is not in the subset, which has {Functions}");
        }

        if (function is PathFunction.OfType or PathFunction.Is or PathFunction.As)
        {
            PathNode typed = TypeFunction(before, function, name.Position);
            Expect(")");
            return typed;
        }

        PathNode? argument = Token is { Kind: TokenKind.Symbol, Text: ")" } ? null : Deeper(Or);
        bool takes = function is PathFunction.Where or PathFunction.All or PathFunction.Extension or PathFunction.StartsWith,
            may = takes || function == PathFunction.Exists,
            text = function is PathFunction.Extension or PathFunction.StartsWith;
        if (argument is null ? takes : !may)
        {
            throw new PathSyntaxException(name.Position, $"{name.Text}() takes {(takes ? "one argument" : "none")}");
        }

        if (text && argument is not LiteralNode { Value: { Kind: ItemKind.Text } })
        {
            throw new PathSyntaxException(name.Position, $"{name.Text}() takes a text in single quotes");
        }

        Expect(")");
        ThenNode called = new(before, new FunctionNode(function, argument, null));

        // Said in the path, so that nobody expects a patient or an organization behind a reference.
        return function != PathFunction.Resolve ? called
            : Take(".") && Step(called) is ThenNode { Then: FunctionNode { Function: PathFunction.OfType, Type: "Medication" } } medication
                ? medication
            : throw new PathSyntaxException(name.Position, "only Medications are followed: write resolve().ofType(Medication)");
    }

    private ThenNode TypeFunction(PathNode before, PathFunction function, int position)
    {
        PathToken type = Token;
        if (type is { Kind: TokenKind.Name, Text: "FHIR" or "System" })
        {
            _at++;
            Expect(".");
            type = Token;
        }

        if (type.Kind is not (TokenKind.Name or TokenKind.QuotedName) || !FhirTypes.DataTypes.Contains(type.Text)
            && !FhirTypes.Resources.Contains(type.Text))
        {
            throw Unexpected("a type of FHIR R4, such as Quantity or dateTime");
        }

        // JSON says of what type a value is only where a choice of types has its name, and for a resource.
        if (!FhirTypes.Resources.Contains(type.Text) && LastMember(before) is not { } member)
        {
            throw new PathSyntaxException(position,
                "only an element with a choice of types, such as value or effective, can be asked for its type");
        }

        _at++;
        return new ThenNode(before, new FunctionNode(function, null, type.Text));
    }

    /// <summary>The name of the choice of types that a part gives; null when it gives something else.</summary>
    private static string? LastMember(PathNode node) => node switch
    {
        MemberNode member when FhirTypes.Choices.Contains(member.Name) => member.Name,
        ThenNode { Then: MemberNode } then => LastMember(then.Then),
        ThenNode { Then: FunctionNode { Function: PathFunction.Where or PathFunction.First or PathFunction.Last } } then =>
            LastMember(then.First),
        IndexNode index => LastMember(index.Of),
        ThisNode => "$this",
        _ => null,
    };

    private PathNode Binary(Func<PathNode> next, params ReadOnlySpan<(string Text, PathOperator Operator)> operators)
    {
        PathNode left = next();
        while (true)
        {
            PathOperator? found = null;
            foreach ((string text, PathOperator op) in operators)
            {
                if (Token.Kind is TokenKind.Name or TokenKind.Symbol && Token.Text == text)
                {
                    found = op;
                }
            }

            if (found is not { } taken)
            {
                return left;
            }

            _at++;
            left = new OperatorNode(taken, left, next());
        }
    }

    private PathNode Deeper(Func<PathNode> next)
    {
        if (++_level > MostLevels)
        {
            throw new PathSyntaxException(Token.Position, $"a path has at most {MostLevels} brackets in each other");
        }

        PathNode node = next();
        _level--;
        return node;
    }

    private bool Take(string symbol)
    {
        if (Token.Kind != TokenKind.Symbol || Token.Text != symbol)
        {
            return false;
        }

        _at++;
        return true;
    }

    private void Expect(string symbol)
    {
        if (!Take(symbol))
        {
            throw Unexpected($"'{symbol}'");
        }
    }

    private PathSyntaxException Unexpected(string expected) =>
        new(Token.Position, $"expected {expected}, got {(Token.Kind == TokenKind.End ? "the end" : $"'{Token.Text}'")}");
}
